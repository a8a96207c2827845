//! Servers that go: of their own accord, or because they were taken out.

use std::{sync::Arc, time::Duration};

use skep_api::proto::{DismissRequest, peer_client::PeerClient};
use skep_store::{Member, MemberStatus, MembershipError, Role};
use tokio::sync::watch;

use super::failure;
use crate::{core::Core, failure::Failure};

/// How long the server that was taken out may take to hear of it.
const DISMISS_WITHIN: Duration = Duration::from_secs(3);

/// Tells the server that it is none of the cluster's any more, and has to end.
#[derive(Debug, Default)]
pub(crate) struct Departure(watch::Sender<bool>);

impl Departure {
    /// It is taken out of the cluster.
    pub(crate) fn depart(&self) {
        self.0.send_replace(true);
    }

    /// Waits until that is so.
    pub(crate) async fn departed(&self) {
        let mut departed = self.0.subscribe();
        // The sender lives as long as this does.
        drop(departed.wait_for(|departed| *departed).await);
    }
}

/// Takes this server out of the cluster, and ends it.
///
/// # Errors
/// Where it is alone, the only voter, or no server leads.
pub(super) async fn leave(core: &Arc<Core>) -> Result<(), Failure> {
    let id = core.store.server_id();
    let others_vote = |status: &MemberStatus| status.member.id != id && status.role == Role::Voter;
    if !core.store.members().await.iter().any(others_vote) {
        return Err(failure(MembershipError::LastVoter { id }));
    }
    if core.leads() {
        // A leader that takes itself out leaves the others without one for a while.
        core.store.transfer_leader(None).await.map_err(failure)?;
    }
    core.store.remove(id).await.map_err(failure)?;
    core.departure.depart();
    Ok(())
}

/// Takes a server out of the cluster, and tells it so, where it lives.
///
/// # Errors
/// Where it is the only voter, or no server leads.
pub(super) async fn remove(core: &Arc<Core>, member: &Member) -> Result<(), Failure> {
    if member.id == core.store.server_id() {
        return leave(core).await;
    }
    core.store.remove(member.id).await.map_err(failure)?;
    let peers = core
        .peers
        .as_ref()
        .and_then(|peers| peers.calls(&member.address).ok());
    if let Some(channel) = peers {
        let mut peer = PeerClient::new(channel);
        let told = peer.dismiss(DismissRequest { id: member.id });
        let told = tokio::time::timeout(DISMISS_WITHIN, told).await;
        if !matches!(told, Ok(Ok(_))) {
            tracing::info!(
                server = member.name,
                "was taken out of the cluster and does not answer"
            );
        }
    }
    Ok(())
}
