//! Keeps the leader told of the nodes that are heard of here, and agents away from a server that is cut off.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use skep_api::proto::{HeardRequest, peer_client::PeerClient};
use tokio::time::Instant;

use crate::{core::Core, failure::Failure};

/// How often the leader is told: well within the lease of a node.
const EVERY: Duration = Duration::from_secs(5);

/// How long telling the leader may take.
const WITHIN: Duration = Duration::from_secs(3);

/// How long a server may be out of touch before it sends its agents to others: the lease of a node, the pause between
/// its heartbeats and one attempt to tell the leader leave that much.
const OUT_OF_TOUCH_MAX: Duration = Duration::from_secs(12);

/// Nodes that were heard of and that the leader was not told of yet.
#[derive(Debug, Default)]
pub(crate) struct Heard(Mutex<BTreeSet<String>>);

impl Heard {
    /// The node was heard of.
    pub(crate) fn note(&self, node: &str) {
        let mut nodes = self.0.lock().expect("no holder panics");
        if !nodes.contains(node) {
            nodes.insert(node.to_owned());
        }
    }

    fn take(&self) -> BTreeSet<String> {
        std::mem::take(&mut *self.0.lock().expect("no holder panics"))
    }

    fn put_back(&self, nodes: impl IntoIterator<Item = String>) {
        self.0.lock().expect("no holder panics").extend(nodes);
    }
}

/// Tells the leader what is heard, until the server ends.
pub(crate) async fn keep_in_touch(core: Arc<Core>) {
    let mut last = Instant::now();
    loop {
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = core.shutdown.cancelled() => return,
        }
        if core.sessions.is_empty() {
            last = Instant::now();
            continue;
        }
        let nodes = core.heard.take();
        match tell_leader(&core, nodes.iter().cloned().collect()).await {
            Ok(()) => last = Instant::now(),
            Err(failure) => {
                tracing::warn!(
                    why = tonic::Status::from(failure).message(),
                    "out of touch with the leader"
                );
                core.heard.put_back(nodes);
            }
        }
        if last.elapsed() > OUT_OF_TOUCH_MAX {
            tracing::warn!("agents are sent to other servers: this one is cut off");
            core.sessions.send_away();
        }
    }
}

/// Tells the leader that nodes were heard of; returns once one that has a majority behind it knows.
///
/// # Errors
/// Where no such leader can be reached.
pub(crate) async fn tell_leader(core: &Core, nodes: Vec<String>) -> Result<(), Failure> {
    let Some(peers) = &core.peers else { return Ok(()) };
    if core.leads() {
        return take_in(core, nodes).await;
    }
    let unknown = || Failure::Unavailable("no server is known to lead".to_owned());
    let leader = core.store.leader().ok_or_else(unknown)?;
    let channel = peers.calls(&leader.address).map_err(Failure::Unavailable)?;
    let mut peer = PeerClient::new(channel);
    let told = tokio::time::timeout(WITHIN, peer.heard(HeardRequest { nodes })).await;
    let late = |_| Failure::Unavailable(format!("server {} does not answer", leader.name));
    told.map_err(late)?
        .map(drop)
        .map_err(|status| Failure::Unavailable(format!("server {}: {}", leader.name, status.message())))
}

/// Renews the leases of nodes, on the leader.
///
/// # Errors
/// Where this server does not lead, or has no majority behind it.
pub(super) async fn take_in(core: &Core, nodes: Vec<String>) -> Result<(), Failure> {
    if !core.leads() {
        return Err(Failure::Unavailable("this server does not lead".to_owned()));
    }
    // A leader that was cut off may not know yet that another one leads.
    let late = |_| Failure::Unavailable("too few servers answer".to_owned());
    tokio::time::timeout(WITHIN, core.read(false))
        .await
        .map_err(late)??;
    for node in &nodes {
        core.leases.renew(node);
    }
    Ok(())
}
