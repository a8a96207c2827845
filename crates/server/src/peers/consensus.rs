//! Takes in the store's messages from other servers.

use std::sync::Arc;

use skep_api::proto::{PeerMessage, raft_server::Raft};
use skep_trust::Identity;
use tonic::{Request, Response, Status};

use crate::core::Core;

/// `skep.v1.Raft`.
#[derive(Clone)]
pub(crate) struct RaftService(pub Arc<Core>);

#[tonic::async_trait]
impl Raft for RaftService {
    async fn call(&self, request: Request<PeerMessage>) -> Result<Response<PeerMessage>, Status> {
        let caller = server_id(&request);
        let message = request.into_inner();
        if caller != Some(message.from) {
            return Err(Status::permission_denied(
                "a server speaks for itself only: the certificate is of another one",
            ));
        }
        let store = &self.0.store;
        if message.to != store.server_id() {
            // A machine that was wiped answers at the address of the server that it was.
            return Err(Status::not_found(format!("this is server {}", store.server_id())));
        }
        let payload = store.serve(message.from, message.payload.into()).await.into();
        Ok(Response::new(PeerMessage {
            from: store.server_id(),
            to: message.from,
            payload,
        }))
    }
}

/// The number of the server that calls, by its certificate.
pub(super) fn server_id<T>(request: &Request<T>) -> Option<u64> {
    match request.extensions().get::<Identity>() {
        Some(Identity::Server { id, .. }) => Some(*id),
        _ => None,
    }
}
