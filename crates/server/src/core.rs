//! What the parts of a server share.

use std::{sync::Arc, time::Instant};

use skep_controllers::Settings;
use skep_state::{Change, Entry, Outcome, State};
use skep_store::{ProposeError, Store};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    clock::now,
    failure::Failure,
    home::Home,
    members::Departure,
    peers::{Channels, Heard},
    read::{Documents, Pages},
    sessions::{Greeting, Leases, Reports, Sessions, Wakes},
    tunnels::Tunnels,
};

/// What the parts of a server share.
pub(crate) struct Core {
    pub store: Store,
    pub settings: Settings,
    pub leases: Leases,
    pub heard: Heard,
    pub sessions: Sessions,
    pub wakes: Wakes,
    pub greeting: Greeting,
    pub reports: Reports,
    pub tunnels: Tunnels,
    pub pages: Pages,
    pub documents: Arc<Documents>,
    pub addresses: Vec<String>,
    /// Which server of a cluster this is; `None` where it is alone.
    pub home: Option<Arc<Home>>,
    /// The other servers; `None` where this one is alone.
    pub peers: Option<Arc<Channels>>,
    pub departure: Departure,
    pub started: Instant,
    pub shutdown: CancellationToken,
}

impl Core {
    /// True while this server leads.
    pub(crate) fn leads(&self) -> bool {
        *self.store.leadership().borrow()
    }

    /// The node was heard of, which the leader is told in time.
    pub(crate) fn hear(&self, node: &str) {
        self.leases.renew(node);
        if self.peers.is_some() {
            self.heard.note(node);
        }
    }

    /// This server's own state: may be a moment behind the leader's.
    pub(crate) fn state(&self) -> State {
        self.store.state()
    }

    /// As [`Core::state`], shared with all who look at the same moment.
    pub(crate) fn view(&self) -> Arc<State> {
        self.store.view()
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
            sent: None,
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
