//! A start without a server: what was to run when the agent ended goes on.

use std::collections::BTreeSet;

use super::{Manager, Word};

impl Manager {
    /// No server has said in time what is to run: the checkpoint's word is taken for it.
    pub(super) async fn restore(&mut self) {
        let Some(saved) = self.saved.take() else { return };
        let Some(owner) = saved.owner else { return };
        let ours = &self.shared.config.node_name;
        if owner.node_name != *ours {
            tracing::warn!(
                theirs = owner.node_name,
                "the checkpoint is another node's: it is not followed"
            );
            return;
        }
        if let Err(ours) = self.shared.join_cluster(&owner.cluster_id) {
            tracing::warn!(ours, "the checkpoint is another cluster's: it is not followed");
            return;
        }
        let pods = self.take_objects(saved.objects, &mut BTreeSet::new());
        tracing::info!(
            pods = pods.len(),
            "no server in reach: the pods of the checkpoint run"
        );
        if self.wants_network() && self.network_retry.is_due() {
            self.set_up_network().await;
        }
        let before = std::mem::replace(&mut self.word, Word::Checkpoints);
        for pod in &pods {
            self.upsert(pod, true);
        }
        self.adopt(before);
        self.note_pods();
    }
}
