//! The scheduler's tables, and the decisions made from them.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use skep_api::{Node, ObjectKey, Pod, Resource};

use crate::{
    batch::Batch,
    explain::Explanation,
    filter::{Rejection, obstacles},
    load::{Load, takes_room},
    node::NodeRow,
    resource::Resources,
    wish::Wish,
};

/// Places pods on nodes, from tables that are fed by changes.
///
/// Feed every change of a node or pod before [`Scheduler::schedule`]: pods that are bound and not ended take up room.
#[derive(Clone, Debug)]
pub struct Scheduler {
    resources: Resources,
    /// Sorted by name.
    nodes: Vec<NodeRow>,
    /// By uid. Looked up only, never walked.
    pods: HashMap<String, Placed>,
    /// Equal loads are kept once.
    loads: BTreeMap<Load, Arc<Load>>,
}

/// A pod that takes up room.
#[derive(Clone, Debug)]
struct Placed {
    node: Arc<str>,
    load: Arc<Load>,
}

/// What was decided for a pending pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The pod's namespace and name.
    pub key: ObjectKey,
    /// The pod's uid.
    pub uid: String,
    /// The node's name, or why no node fits.
    pub outcome: Result<String, Explanation>,
}

impl Default for Scheduler {
    fn default() -> Self {
        Self::new()
    }
}

impl Scheduler {
    /// A scheduler that knows no node and no pod.
    pub fn new() -> Self {
        Self {
            resources: Resources::new(),
            nodes: Vec::new(),
            pods: HashMap::new(),
            loads: BTreeMap::new(),
        }
    }

    /// Takes note of a node that is new or has changed.
    pub fn node(&mut self, node: &Node) {
        let index = self.row(&node.metadata.name);
        self.nodes[index].set(node, &mut self.resources);
    }

    /// Takes note of a node that is gone. Its pods are remembered, should it come back.
    pub fn remove_node(&mut self, name: &str) {
        let Ok(index) = self.find(name) else { return };
        self.nodes[index].exists = false;
        self.drop_row_if_idle(index);
    }

    /// Takes note of a pod that is new or has changed. One that is bound nowhere or has ended takes up no room.
    pub fn pod(&mut self, pod: &Pod) {
        if !takes_room(pod) {
            return self.remove_pod(&pod.metadata.uid);
        }
        let load = Load::of(pod, &mut self.resources);
        if let Some(placed) = self.pods.get(&pod.metadata.uid)
            && *placed.load == load
            && *placed.node == *pod.spec.node_name
        {
            return;
        }
        self.remove_pod(&pod.metadata.uid);
        let index = self.row(&pod.spec.node_name);
        self.nodes[index].add(&load);
        self.remember(&pod.metadata.uid, &Arc::from(pod.spec.node_name.as_str()), load);
    }

    /// Takes note of a pod that is gone.
    pub fn remove_pod(&mut self, uid: &str) {
        let Some(Placed { node, load }) = self.pods.remove(uid) else {
            return;
        };
        if let Ok(index) = self.find(&node) {
            self.nodes[index].subtract(&load);
            self.drop_row_if_idle(index);
        }
        if Arc::strong_count(&load) == 2 {
            self.loads.remove(&*load);
        }
    }

    /// Decides for each pending pod, in this order, where it goes. Placements count at once: those that are not carried out
    /// must be taken back with [`Scheduler::pod`] or [`Scheduler::remove_pod`].
    pub fn schedule(&mut self, pending: &[&Pod]) -> Vec<Decision> {
        let mut batch = Batch::new(&self.nodes);
        let mut names: Vec<Option<Arc<str>>> = vec![None; self.nodes.len()];
        let mut decisions = Vec::with_capacity(pending.len());
        for pod in pending {
            let uid = &pod.metadata.uid;
            let outcome = match batch.place(pod, &mut self.nodes, &mut self.resources) {
                Ok((node, wish)) => {
                    let name = names[node].get_or_insert_with(|| self.nodes[node].name.as_str().into());
                    let (name, load) = (Arc::clone(name), wish.load.clone());
                    remember(&mut self.pods, &mut self.loads, uid, &name, load);
                    Ok(name.as_ref().to_owned())
                }
                Err(explanation) => Err(explanation),
            };
            decisions.push(Decision {
                key: pod.key(),
                uid: uid.clone(),
                outcome,
            });
        }
        decisions
    }

    /// Whether the pod may be placed on this node as things are, without placing it.
    ///
    /// # Errors
    /// What stands against it; empty where there is no such node.
    pub fn check(&mut self, pod: &Pod, node: &str) -> Result<(), Vec<Rejection>> {
        let wish = Wish::of(pod, &mut self.resources);
        let index = self
            .find(node)
            .ok()
            .filter(|index| self.nodes[*index].exists)
            .ok_or_else(Vec::new)?;
        let found = obstacles(&wish, &self.nodes[index]);
        if found.is_empty() {
            return Ok(());
        }
        Err(found
            .iter()
            .map(|obstacle| obstacle.rejection(&wish, &self.resources))
            .collect())
    }

    fn find(&self, name: &str) -> Result<usize, usize> {
        self.nodes.binary_search_by(|row| row.name.as_str().cmp(name))
    }

    fn row(&mut self, name: &str) -> usize {
        self.find(name).unwrap_or_else(|index| {
            self.nodes.insert(index, NodeRow::named(name));
            index
        })
    }

    fn drop_row_if_idle(&mut self, index: usize) {
        if !self.nodes[index].exists && self.nodes[index].is_empty() {
            self.nodes.remove(index);
        }
    }

    fn remember(&mut self, uid: &str, node: &Arc<str>, load: Load) {
        remember(&mut self.pods, &mut self.loads, uid, node, load);
    }
}

fn remember(
    pods: &mut HashMap<String, Placed>,
    loads: &mut BTreeMap<Load, Arc<Load>>,
    uid: &str,
    node: &Arc<str>,
    load: Load,
) {
    let load = match loads.get(&load) {
        Some(shared) => Arc::clone(shared),
        None => {
            let shared = Arc::new(load.clone());
            loads.insert(load, Arc::clone(&shared));
            shared
        }
    };
    pods.insert(
        uid.to_owned(),
        Placed {
            node: Arc::clone(node),
            load,
        },
    );
}
