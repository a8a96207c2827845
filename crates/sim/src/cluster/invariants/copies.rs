//! At no moment are there two live copies of a pod, or of two pods of the same name; and no container that is well is
//! started anew.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use skep_agent::{runtime::Container, spec::label};

/// What runs where, over all machines.
#[derive(Clone, Default)]
pub(in crate::cluster) struct Copies(Arc<Mutex<Shared>>);

#[derive(Default)]
struct Shared {
    /// By the engine's id.
    running: BTreeMap<String, Copy>,
    /// The node that a pod, by its uid, has run on.
    nodes: BTreeMap<String, String>,
    /// How often a pod's container has been started since its machine last had no power.
    starts: BTreeMap<(String, String), u32>,
    started: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Copy {
    node: String,
    /// Namespace and name.
    pod: String,
    uid: String,
    /// Within the pod.
    container: String,
}

impl Copy {
    fn of(node: &str, container: &Container) -> Self {
        let label = |name: &str| container.labels.get(name).cloned().unwrap_or_default();
        Self {
            node: node.to_owned(),
            pod: format!("{}/{}", label(label::POD_NAMESPACE), label(label::POD_NAME)),
            uid: label(label::POD_UID),
            container: label(label::CONTAINER_NAME),
        }
    }
}

impl Copies {
    /// # Panics
    /// Where that makes two live copies, or starts anew what was well.
    pub(in crate::cluster) fn starts(&self, node: &str, container: &Container) {
        let copy = Copy::of(node, container);
        let mut shared = self.0.lock().unwrap();
        for other in shared.running.values() {
            let same_pod = other.pod == copy.pod && (other.uid != copy.uid || other.node != copy.node);
            assert!(
                !same_pod,
                "two live copies of {}: {other:?}, and now {copy:?}",
                copy.pod
            );
            let same = other.uid == copy.uid && other.container == copy.container;
            assert!(!same, "a container runs twice: {other:?}, and now {copy:?}");
        }
        let bound = shared
            .nodes
            .entry(copy.uid.clone())
            .or_insert_with(|| node.to_owned());
        assert_eq!(
            bound, node,
            "pod {} was on another node before: {copy:?}",
            copy.pod
        );
        let starts = shared
            .starts
            .entry((copy.uid.clone(), copy.container.clone()))
            .or_default();
        *starts += 1;
        assert_eq!(*starts, 1, "what was well is started anew: {copy:?}");
        shared.started += 1;
        shared.running.insert(container.id.clone(), copy);
    }

    /// A container runs no more.
    pub(in crate::cluster) fn ended(&self, id: &str) {
        self.0.lock().unwrap().running.remove(id);
    }

    /// A machine has lost power: its containers have to be started anew.
    pub(in crate::cluster) fn rebooted(&self, node: &str) {
        let mut shared = self.0.lock().unwrap();
        let Shared { nodes, starts, .. } = &mut *shared;
        starts.retain(|(uid, _), _| nodes.get(uid).is_none_or(|on| on != node));
    }

    /// How many containers were started.
    pub(in crate::cluster) fn started(&self) -> u64 {
        self.0.lock().unwrap().started
    }
}
