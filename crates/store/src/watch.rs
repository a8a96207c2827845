//! What happens from a revision on.

use std::sync::Arc;

use skep_state::{Compacted, StateEvent};
use tokio::sync::watch;

use crate::machine::Shared;

const BATCH_MAX: usize = 1024;

/// Follows the changes of a store.
///
/// It holds no queue: each step looks into the store's bounded history, so that a slow watcher costs nothing and is told
/// once it has fallen behind too far.
#[derive(Clone, Debug)]
pub struct Watch {
    shared: Arc<Shared>,
    revisions: watch::Receiver<u64>,
    seen: u64,
}

impl Watch {
    /// # Errors
    /// [`Compacted`] where the history does not reach back to `from`.
    pub(crate) fn new(shared: Arc<Shared>, from: u64) -> Result<Self, Compacted> {
        drop(shared.view().changes_since(from)?);
        let revisions = shared.revisions();
        Ok(Self {
            shared,
            revisions,
            seen: from,
        })
    }

    /// The revision up to which this watch has told everything.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// The next changes, oldest first, at least one and at most 1024. Waits for one where there is none; for ever once
    /// the store is shut down. Safe to drop and call again.
    ///
    /// # Errors
    /// [`Compacted`] once the watcher has fallen behind too far: list again and watch from there.
    pub async fn next(&mut self) -> Result<Vec<Arc<StateEvent>>, Compacted> {
        loop {
            self.revisions.mark_unchanged();
            let events: Vec<_> = self
                .shared
                .view()
                .changes_since(self.seen)?
                .take(BATCH_MAX)
                .cloned()
                .collect();
            if let Some(last) = events.last() {
                self.seen = last.revision;
                return Ok(events);
            }
            if self.revisions.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}
