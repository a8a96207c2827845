//! Writes what the leader wants.

use futures::future::join_all;
use skep_controllers::{Draft, Origin};
use skep_state::{Change, Outcome, fold_copies};
use skep_store::ProposeError;

use crate::{clock::now, core::Core};

/// Changes in one entry.
const CHANGES_MAX: usize = 1024;

type Written = Result<Outcome, ProposeError>;

/// How large entries may be now.
pub(super) struct Entries {
    changes_max: usize,
}

impl Entries {
    pub(super) fn new() -> Self {
        Self {
            changes_max: CHANGES_MAX,
        }
    }

    /// Writes the changes, in as few entries as the limits allow; tells what became of each.
    ///
    /// What would be in an entry of too many bytes is not written: whoever wants it asks again, and entries have fewer changes
    /// then.
    pub(super) async fn propose(&mut self, draft: Draft, core: &Core) -> Vec<(Origin, Written)> {
        let mut changes = draft.changes.into_iter().peekable();
        let mut entries = Vec::new();
        while changes.peek().is_some() {
            let part: Vec<Change> = changes.by_ref().take(self.changes_max).collect();
            entries.push(write(part, core));
        }
        // All are on their way at once, in this order.
        let written: Vec<Written> = join_all(entries).await.into_iter().flatten().collect();
        self.learn(&written);
        draft.origins.into_iter().zip(written).collect()
    }

    fn learn(&mut self, written: &[Written]) {
        let too_large = |written: &&Written| matches!(written, Err(ProposeError::TooLarge { .. }));
        self.changes_max = match written.iter().find(too_large) {
            Some(Err(error)) if self.changes_max == 1 => {
                tracing::warn!(%error, "a change cannot be written");
                1
            }
            Some(_) => self.changes_max / 2,
            None => (self.changes_max * 2).min(CHANGES_MAX),
        };
    }
}

async fn write(changes: Vec<Change>, core: &Core) -> Vec<Written> {
    let count = changes.len();
    let entry = skep_state::Entry {
        request_id: String::new(),
        sent: None,
        now: now(),
        changes: fold_copies(changes),
    };
    match core.store.propose(entry).await {
        Ok(outcomes) => outcomes.into_iter().map(Ok).collect(),
        Err(error) => vec![Err(error); count],
    }
}
