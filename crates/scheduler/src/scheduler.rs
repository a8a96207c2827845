//! The scheduler's tables, and the decisions made from them.

use std::{collections::HashMap, sync::Arc};

use skep_api::{Node, Pod, Resource};

use crate::{
    batch::Batch,
    catalog::Catalog,
    decision::{Decision, Outcome},
    filter::{Rejection, obstacles},
    load::{Load, takes_room},
    node::NodeRow,
    wish::Wish,
};

/// Places pods on nodes, from tables that are fed by changes.
///
/// Feed every change of a node or pod before [`Scheduler::schedule`]: pods that are bound and not ended take up room.
#[derive(Debug)]
pub struct Scheduler {
    catalog: Catalog,
    /// Sorted by name.
    nodes: Vec<NodeRow>,
    /// By uid. Looked up only, never walked.
    pods: HashMap<String, Placed>,
}

/// A pod that takes up room.
#[derive(Clone, Debug)]
struct Placed {
    node: Arc<str>,
    load: Arc<Load>,
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
            catalog: Catalog::new(),
            nodes: Vec::new(),
            pods: HashMap::new(),
        }
    }

    /// Takes note of a node that is new or has changed.
    pub fn node(&mut self, node: &Node) {
        let index = self.row(&node.metadata.name);
        self.nodes[index].set(node, &mut self.catalog.resources);
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
        let load = self.catalog.load_of(pod);
        if let Some(placed) = self.pods.get(&pod.metadata.uid)
            && placed.load == load
            && *placed.node == *pod.spec.node_name
        {
            return;
        }
        self.remove_pod(&pod.metadata.uid);
        let index = self.row(&pod.spec.node_name);
        self.nodes[index].add(&load);
        let node = Arc::from(pod.spec.node_name.as_str());
        self.pods.insert(pod.metadata.uid.clone(), Placed { node, load });
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
        self.catalog.release(load);
    }

    /// Decides for each pending pod, in this order, where it goes. Placements count at once: those that are not carried out
    /// must be taken back with [`Scheduler::pod`] or [`Scheduler::remove_pod`].
    pub fn schedule(&mut self, pending: &[&Pod]) -> Vec<Decision> {
        for pod in pending {
            self.remove_pod(&pod.metadata.uid);
        }
        let mut batch = Batch::new(&self.nodes);
        let mut names: Vec<Option<Arc<str>>> = vec![None; self.nodes.len()];
        let mut decisions = Vec::with_capacity(pending.len());
        for pod in pending {
            let uid = &pod.metadata.uid;
            let placed = batch.place(pod, &mut self.nodes, &mut self.catalog);
            let outcome = placed.map(|(index, load)| {
                let name = names[index].get_or_insert_with(|| self.nodes[index].name.as_str().into());
                let node = Arc::clone(name);
                self.pods.insert(uid.clone(), Placed { node, load });
                self.nodes[index].name.clone()
            });
            let outcome = match outcome {
                Ok(node) => Outcome::Bind { node },
                Err(why) => Outcome::Wait(Box::new(why)),
            };
            decisions.push(Decision {
                key: pod.key(),
                uid: uid.clone(),
                outcome,
            });
        }
        batch.finish(&mut self.catalog);
        decisions
    }

    /// Whether the pod may be placed on this node as things are, without placing it.
    ///
    /// # Errors
    /// What stands against it; empty where there is no such node.
    pub fn check(&mut self, pod: &Pod, node: &str) -> Result<(), Vec<Rejection>> {
        let wish = Wish::of(pod, &mut self.catalog);
        let row = self.find(node).map(|index| &self.nodes[index]);
        let outcome = match row.ok().filter(|row| row.exists) {
            Some(row) => {
                let found = obstacles(&wish, row);
                let rejections = found
                    .iter()
                    .map(|obstacle| obstacle.rejection(&wish, &self.catalog.resources));
                if found.is_empty() {
                    Ok(())
                } else {
                    Err(rejections.collect())
                }
            }
            None => Err(Vec::new()),
        };
        self.catalog.release(wish.load);
        outcome
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
}

#[cfg(test)]
mod tests {
    use skep_testkit::{node, pod, replica_set};

    use super::*;

    #[test]
    fn nothing_is_kept_of_what_is_gone() {
        let mut scheduler = Scheduler::new();
        scheduler.node(&node("a").cpu("1").build());
        for index in 0..20 {
            let set = replica_set(&format!("set-{index}"), 1).build();
            let web = pod(&format!("web-{index}")).cpu("200m").owned_by(&set).build();
            scheduler.schedule(&[&web]);
            scheduler.check(&pod("probe").cpu("50m").build(), "a").ok();
        }
        assert_eq!((scheduler.pods.len(), scheduler.catalog.loads()), (5, 5));
        for index in 0..20 {
            scheduler.remove_pod(&format!("pod-default-web-{index}"));
        }
        scheduler.remove_node("a");
        assert_eq!(
            (
                scheduler.pods.len(),
                scheduler.catalog.loads(),
                scheduler.nodes.len()
            ),
            (0, 0, 0)
        );
    }
}
