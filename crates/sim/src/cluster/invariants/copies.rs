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

#[cfg(test)]
mod tests {
    use super::*;

    /// A container of the pod `web`.
    fn container(id: &str, uid: &str) -> Container {
        let labels = [
            (label::POD_NAMESPACE, "default"),
            (label::POD_NAME, "web"),
            (label::POD_UID, uid),
            (label::CONTAINER_NAME, "main"),
        ];
        Container {
            id: id.to_owned(),
            name: id.to_owned(),
            labels: labels
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            image: String::new(),
            image_id: String::new(),
            state: skep_agent::runtime::RunState::Created,
            pid: 0,
        }
    }

    #[test]
    fn a_pod_may_follow_another_of_its_name_and_starts_again_after_a_loss_of_power() {
        let copies = Copies::default();
        copies.starts("a", &container("c1", "1"));
        copies.ended("c1");
        copies.rebooted("a");
        copies.starts("a", &container("c2", "1"));
        copies.ended("c2");
        copies.starts("b", &container("c3", "2"));
        assert_eq!(copies.started(), 3);
    }

    #[test]
    #[should_panic(expected = "two live copies of default/web")]
    fn two_pods_of_a_name_at_once_are_noticed() {
        let copies = Copies::default();
        copies.starts("a", &container("c1", "1"));
        copies.starts("b", &container("c2", "2"));
    }

    #[test]
    #[should_panic(expected = "two live copies of default/web")]
    fn a_pod_on_two_nodes_at_once_is_noticed() {
        let copies = Copies::default();
        copies.starts("a", &container("c1", "1"));
        copies.starts("b", &container("c2", "1"));
    }

    #[test]
    #[should_panic(expected = "a container runs twice")]
    fn two_containers_for_one_are_noticed() {
        let copies = Copies::default();
        copies.starts("a", &container("c1", "1"));
        copies.starts("a", &container("c2", "1"));
    }

    #[test]
    #[should_panic(expected = "pod default/web was on another node before")]
    fn a_pod_that_moves_is_noticed() {
        let copies = Copies::default();
        copies.starts("a", &container("c1", "1"));
        copies.ended("c1");
        copies.starts("b", &container("c2", "1"));
    }

    #[test]
    #[should_panic(expected = "what was well is started anew")]
    fn a_needless_restart_is_noticed() {
        let copies = Copies::default();
        copies.starts("a", &container("c1", "1"));
        copies.ended("c1");
        copies.starts("a", &container("c2", "1"));
    }
}
