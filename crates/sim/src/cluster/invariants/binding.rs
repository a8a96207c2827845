//! A pod is bound to one node, and stays bound to it, whichever server is asked.

use std::collections::BTreeMap;

use skep_api::Pod;

/// The nodes that pods were seen bound to, by their uids.
#[derive(Default)]
pub(in crate::cluster) struct Bindings(BTreeMap<String, String>);

impl Bindings {
    /// # Panics
    /// Where a pod was seen bound to another node before.
    pub(in crate::cluster) fn see(&mut self, pods: &[Pod]) {
        for pod in pods.iter().filter(|pod| !pod.spec.node_name.is_empty()) {
            let (uid, node) = (&pod.metadata.uid, &pod.spec.node_name);
            let before = self.0.entry(uid.clone()).or_insert_with(|| node.clone());
            assert_eq!(
                before, node,
                "pod {} ({uid}) is bound to two nodes",
                pod.metadata.name
            );
        }
    }

    pub(in crate::cluster) fn count(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use skep_testkit::pod;

    use super::*;

    fn seen(uid: &str, node: &str) -> Pod {
        pod("web").uid(uid).node(node).build()
    }

    #[test]
    fn a_pod_is_bound_once_and_another_of_its_name_elsewhere() {
        let mut bindings = Bindings::default();
        bindings.see(&[pod("web").uid("1").build()]);
        bindings.see(&[seen("1", "a")]);
        bindings.see(&[seen("1", "a"), seen("2", "b")]);
        assert_eq!(bindings.count(), 2);
    }

    #[test]
    #[should_panic(expected = "pod web (1) is bound to two nodes")]
    fn a_pod_that_is_bound_anew_is_noticed() {
        let mut bindings = Bindings::default();
        bindings.see(&[seen("1", "a")]);
        bindings.see(&[seen("1", "b")]);
    }

    #[test]
    #[should_panic(expected = "pod web (1) is bound to two nodes")]
    fn two_stories_of_two_servers_are_noticed() {
        Bindings::default().see(&[seen("1", "a"), seen("1", "b")]);
    }
}
