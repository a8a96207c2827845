//! Tells who leads, and when the store stops by itself.

use openraft::{ServerState, async_runtime::watch::WatchReceiver, errors::Fatal};
use tokio::sync::watch;

use crate::raft::{Raft, Types};

/// Follows consensus until it stops.
pub(crate) struct Leadership {
    pub(crate) leads: watch::Sender<bool>,
    /// Why the store stopped by itself.
    pub(crate) failure: watch::Sender<Option<String>>,
}

impl Leadership {
    pub(crate) async fn follow(self, raft: Raft) {
        let mut metrics = raft.metrics();
        loop {
            let (leads, running) = {
                let metrics = metrics.borrow_watched();
                (
                    metrics.state == ServerState::Leader,
                    metrics.running_state.clone(),
                )
            };
            let leads = leads && running.is_ok();
            self.leads
                .send_if_modified(|seen| std::mem::replace(seen, leads) != leads);
            match running {
                Ok(()) => {}
                Err(Fatal::Stopped) => return,
                Err(fatal) => {
                    let why = describe(&fatal);
                    tracing::error!(why, "the store has stopped");
                    self.failure.send_replace(Some(why));
                    return;
                }
            }
            if metrics.changed().await.is_err() {
                self.leads.send_replace(false);
                return;
            }
        }
    }
}

/// Consensus' last words, for people.
pub(crate) fn describe(fatal: &Fatal<Types>) -> String {
    match fatal {
        Fatal::StorageError(error) => error.to_string(),
        other => other.to_string(),
    }
}
