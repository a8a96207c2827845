//! Which agents are connected; the newest session of a node is the one that counts.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use skep_api::proto::{OpenTunnel, ServerMessage, server_message::Message};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tonic::Status;

/// What goes down to an agent.
pub(crate) type Down = mpsc::Sender<Result<ServerMessage, Status>>;

/// The sessions in progress, by node.
#[derive(Clone, Default)]
pub(crate) struct Sessions {
    by_node: Arc<Mutex<HashMap<String, Entry>>>,
}

struct Entry {
    number: u64,
    down: Down,
    replaced: CancellationToken,
    sent_away: CancellationToken,
}

/// A session's place in the registry, given up when dropped.
pub(crate) struct Place {
    sessions: Sessions,
    node: String,
    number: u64,
    /// Cancelled when a newer session of the node takes the place.
    pub replaced: CancellationToken,
    /// Cancelled when the agent is to dial another server.
    pub sent_away: CancellationToken,
}

impl Sessions {
    /// True where no agent is connected.
    pub(crate) fn is_empty(&self) -> bool {
        self.by_node.lock().expect("no holder panics").is_empty()
    }

    /// True where the agent of this node is connected.
    pub(crate) fn has(&self, node: &str) -> bool {
        self.by_node.lock().expect("no holder panics").contains_key(node)
    }

    /// Ends every session: the agents are to dial another server.
    pub(crate) fn send_away(&self) {
        for entry in self.by_node.lock().expect("no holder panics").values() {
            entry.sent_away.cancel();
        }
    }

    /// Enters a session; an older one of the same node is told to end.
    pub(crate) fn enter(&self, node: &str, down: Down) -> Place {
        let (replaced, sent_away) = (CancellationToken::new(), CancellationToken::new());
        let mut by_node = self.by_node.lock().expect("no holder panics");
        let number = by_node.get(node).map_or(0, |older| older.number + 1);
        let entry = Entry {
            number,
            down,
            replaced: replaced.clone(),
            sent_away: sent_away.clone(),
        };
        if let Some(older) = by_node.insert(node.to_owned(), entry) {
            older.replaced.cancel();
        }
        Place {
            sessions: self.clone(),
            node: node.to_owned(),
            number,
            replaced,
            sent_away,
        }
    }

    /// Asks the agent of a node to open a tunnel; false where it is not connected.
    pub(crate) async fn ask_for_tunnel(&self, node: &str, ask: OpenTunnel) -> bool {
        let down = {
            let by_node = self.by_node.lock().expect("no holder panics");
            by_node.get(node).map(|entry| entry.down.clone())
        };
        let Some(down) = down else { return false };
        let message = ServerMessage {
            message: Some(Message::OpenTunnel(ask)),
        };
        down.send(Ok(message)).await.is_ok()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut by_node = self.sessions.by_node.lock().expect("no holder panics");
        if by_node
            .get(&self.node)
            .is_some_and(|entry| entry.number == self.number)
        {
            by_node.remove(&self.node);
        }
    }
}
