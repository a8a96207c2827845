//! What the parts of a server share.

use std::time::Instant;

use skep_controllers::Settings;
use skep_state::{Change, Entry, Outcome, State};
use skep_store::{ProposeError, Store};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    clock::now,
    failure::Failure,
    read::Pages,
    sessions::{Leases, Reports, Sessions},
    tunnels::Tunnels,
};

/// What the parts of a server share.
pub(crate) struct Core {
    pub store: Store,
    pub settings: Settings,
    pub leases: Leases,
    pub sessions: Sessions,
    pub reports: Reports,
    pub tunnels: Tunnels,
    pub pages: Pages,
    pub addresses: Vec<String>,
    pub started: Instant,
    pub shutdown: CancellationToken,
}

impl Core {
    /// This server's own state: may be a moment behind the leader's.
    pub(crate) fn state(&self) -> State {
        self.store.state()
    }

    /// A state with every write in it that was acknowledged before the call; this server's own where `stale_ok`.
    pub(crate) async fn read(&self, stale_ok: bool) -> Result<State, Failure> {
        if stale_ok {
            return Ok(self.store.state());
        }
        self.store
            .read()
            .await
            .map_err(|error| Failure::Unavailable(error.to_string()))
    }

    /// Writes changes as one entry; returns when they are durable and applied.
    pub(crate) async fn propose(
        &self,
        request_id: &str,
        changes: Vec<Change>,
    ) -> Result<Vec<Outcome>, Failure> {
        let entry = Entry {
            request_id: request_id.to_owned(),
            now: now(),
            changes,
        };
        self.store.propose(entry).await.map_err(|error| match error {
            ProposeError::TooLarge { .. } => Failure::TooLarge(error.to_string()),
            _ => Failure::Unavailable(error.to_string()),
        })
    }

    /// Follows the revision of this server's own state.
    pub(crate) fn revisions(&self) -> watch::Receiver<u64> {
        self.store.revisions()
    }
}
