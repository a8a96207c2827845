//! Which services are offered through which door.

use std::sync::Arc;

use skep_api::proto::{
    FILE_DESCRIPTOR_SET, cluster_server::ClusterServer, join_server::JoinServer,
    members_server::MembersServer, node_server::NodeServer, peer_server::PeerServer, raft_server::RaftServer,
    trust_server::TrustServer,
};
use tonic::service::Routes;

use crate::{
    core::Core,
    join::{JoinService, TrustService},
    members::MembersService,
    peers::{MESSAGE_BYTES_MAX as PEER_MESSAGE_BYTES_MAX, PeerService, RaftService},
    services::{ClusterService, NodeService},
};

/// The largest message taken in: above the largest object, so that an object that is too large is told so by name.
const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What clients and agents are offered, the same through each door.
pub(crate) async fn for_clients(core: &Arc<Core>) -> Routes {
    let cluster =
        ClusterServer::new(ClusterService(core.clone())).max_decoding_message_size(MESSAGE_BYTES_MAX);
    let node = NodeServer::new(NodeService(core.clone())).max_decoding_message_size(MESSAGE_BYTES_MAX);
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_serving::<ClusterServer<ClusterService>>().await;
    reporter.set_serving::<NodeServer<NodeService>>().await;
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()
        .expect("the descriptors are those that were compiled in");
    let routes = Routes::new(cluster)
        .add_service(node)
        .add_service(health)
        .add_service(reflection);
    if core.peers.is_none() {
        return routes;
    }
    routes
        .add_service(MembersServer::new(MembersService(core.clone())))
        .add_service(TrustServer::new(TrustService(core.clone())))
}

/// What is offered to all, other servers and newcomers among them: who may ask for what is decided at the door.
pub(crate) async fn for_all(core: &Arc<Core>) -> Routes {
    let raft = RaftServer::new(RaftService(core.clone()))
        .max_decoding_message_size(PEER_MESSAGE_BYTES_MAX)
        .max_encoding_message_size(PEER_MESSAGE_BYTES_MAX);
    for_clients(core)
        .await
        .add_service(raft)
        .add_service(PeerServer::new(PeerService(core.clone())))
        .add_service(JoinServer::new(JoinService(core.clone())))
}
