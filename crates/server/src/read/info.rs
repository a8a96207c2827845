//! Version, leader, revision, sizes.

use skep_api::proto::InfoResponse;

use crate::core::Core;

/// What the server knows about itself and its cluster.
pub(crate) fn info(core: &Core) -> InfoResponse {
    let state = core.state();
    InfoResponse {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        cluster_id: core.store.cluster_id().to_owned(),
        server_id: core.store.server_id(),
        leader_id: core.store.leader().map_or(0, |leader| leader.id),
        revision: state.revision(),
        objects: state.len() as u64,
        uptime_seconds: core.started.elapsed().as_secs(),
        addresses: core.addresses.clone(),
    }
}
