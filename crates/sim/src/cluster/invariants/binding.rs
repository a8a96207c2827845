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
