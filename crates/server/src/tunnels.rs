//! Streams that agents open towards the server when a session asks for one: logs and commands.

use std::{
    collections::HashMap,
    fmt::Write,
    sync::{Arc, Mutex},
};

use skep_api::proto::{TunnelDown, TunnelUp};
use tokio::sync::{mpsc, oneshot};
use tonic::{Status, Streaming};

/// Messages that may wait in a tunnel; beyond that the sender waits.
pub(crate) const TUNNEL_MESSAGES: usize = 16;

/// The server's end of an open tunnel.
pub(crate) struct Tunnel {
    /// What the agent says.
    pub up: Streaming<TunnelUp>,
    /// What the agent is told.
    pub down: mpsc::Sender<Result<TunnelDown, Status>>,
}

/// Tunnels that were asked for and are not open yet.
#[derive(Clone, Default)]
pub(crate) struct Tunnels(Arc<Mutex<HashMap<String, oneshot::Sender<Tunnel>>>>);

/// A tunnel that was asked for; forgotten when dropped.
pub(crate) struct Awaited {
    id: String,
    tunnels: Tunnels,
    opened: oneshot::Receiver<Tunnel>,
}

impl Tunnels {
    /// Expects a tunnel under a new id that nobody can guess.
    pub(crate) fn expect(&self) -> Awaited {
        let id = random_id();
        let (open, opened) = oneshot::channel();
        self.0.lock().expect("no holder panics").insert(id.clone(), open);
        Awaited {
            id,
            tunnels: self.clone(),
            opened,
        }
    }

    /// Hands an opened tunnel to the one who waits for it.
    ///
    /// # Errors
    /// Where nobody waits for this id any more.
    pub(crate) fn open(&self, id: &str, tunnel: Tunnel) -> Result<(), Box<Status>> {
        let waiting = self.0.lock().expect("no holder panics").remove(id);
        let nobody = || Box::new(Status::not_found("nobody waits for this tunnel any more"));
        waiting.ok_or_else(nobody)?.send(tunnel).map_err(|_| nobody())
    }
}

impl Awaited {
    /// What the agent must call the tunnel.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// The tunnel, once the agent has opened it; `None` where the server gave it up.
    pub(crate) async fn opened(&mut self) -> Option<Tunnel> {
        (&mut self.opened).await.ok()
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        self.tunnels.0.lock().expect("no holder panics").remove(&self.id);
    }
}

fn random_id() -> String {
    let bytes: [u8; 16] = rand::random();
    bytes.iter().fold(String::with_capacity(32), |mut id, byte| {
        write!(id, "{byte:02x}").expect("a string takes all");
        id
    })
}
