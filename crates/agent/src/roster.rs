//! The pods that are to run on this node, for who asks on the machine.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use skep_api::{ObjectKey, Pod};

/// The pods that are to run on this node.
#[derive(Debug, Default)]
pub(crate) struct Roster(Mutex<List>);

#[derive(Clone, Debug, Default)]
struct List {
    pods: BTreeMap<ObjectKey, Arc<Pod>>,
    from_checkpoint: bool,
}

impl Roster {
    /// These are the pods; `from_checkpoint` where no server has said so yet.
    pub(crate) fn set(&self, pods: impl Iterator<Item = Arc<Pod>>, from_checkpoint: bool) {
        let pods = pods.map(|pod| (pod.metadata.key(), pod)).collect();
        *self.lock() = List {
            pods,
            from_checkpoint,
        };
    }

    /// The pods by namespace and name, with the status they had when they were assigned.
    pub(crate) fn all(&self) -> Vec<Arc<Pod>> {
        self.lock().pods.values().cloned().collect()
    }

    /// The uid of a pod; `None` where it is not one of this node.
    pub(crate) fn uid(&self, key: &ObjectKey) -> Option<String> {
        let list = self.lock();
        list.pods.get(key).map(|pod| pod.metadata.uid.clone())
    }

    /// True while no server has said since the agent's start what is to run.
    pub(crate) fn is_from_checkpoint(&self) -> bool {
        self.lock().from_checkpoint
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
