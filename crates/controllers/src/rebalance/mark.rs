//! What a pod that is being moved carries.

use serde::{Deserialize, Serialize};
use skep_api::{Pod, Time, well_known};

use super::Move;

/// A move that is under way, as the pod's annotation says it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Moving {
    /// When it began.
    pub since: Time,
    /// The node where its replacement is to come.
    pub to: String,
    /// Why, in words and numbers.
    pub why: String,
    /// True where the pod may be where it is, and its node is overfull.
    #[serde(default)]
    pub overfull: bool,
}

impl Moving {
    /// The move that the pod is on; `None` where it is on none.
    pub fn of(pod: &Pod) -> Option<Self> {
        let text = pod.metadata.annotations.get(well_known::REBALANCE_MOVE)?;
        serde_json::from_str(text).ok()
    }

    pub(super) fn begin(chosen: &Move, now: Time) -> Self {
        Self {
            since: now,
            to: chosen.to.clone(),
            why: chosen.why.clone(),
            overfull: chosen.overfull,
        }
    }

    pub(super) fn put(&self, pod: &mut Pod) {
        let text = serde_json::to_string(self).expect("a move has only plain fields");
        let annotations = &mut pod.metadata.annotations;
        annotations.insert(well_known::REBALANCE_MOVE.to_owned(), text);
        annotations.remove(well_known::REBALANCE_AFTER);
    }
}
