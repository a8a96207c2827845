//! Takes in the store's messages from other servers.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt, stream::BoxStream};
use skep_api::proto::{PeerMessage, raft_server::Raft};
use skep_trust::Identity;
use tokio::time::sleep;
use tonic::{Request, Response, Status, Streaming};

use crate::core::Core;

/// Calls of one conversation that are being answered at the same time.
const ANSWERED_AT_ONCE: usize = 256;

/// No conversation lasts longer, whatever the other side thinks of it: a new one shows the certificate again.
const LASTS: Duration = Duration::from_secs(60 * 60);

/// `skep.v1.Raft`.
#[derive(Clone)]
pub(crate) struct RaftService(pub Arc<Core>);

#[tonic::async_trait]
impl Raft for RaftService {
    type ConverseStream = BoxStream<'static, Result<PeerMessage, Status>>;

    async fn call(&self, request: Request<PeerMessage>) -> Result<Response<PeerMessage>, Status> {
        let caller = server_id(&request);
        self.answer(caller, request.into_inner()).await.map(Response::new)
    }

    async fn converse(
        &self,
        request: Request<Streaming<PeerMessage>>,
    ) -> Result<Response<Self::ConverseStream>, Status> {
        let (service, caller) = (self.clone(), server_id(&request));
        let over = self.0.shutdown.clone().cancelled_owned();
        let answers = request
            .into_inner()
            .map(move |message| {
                let service = service.clone();
                async move { service.answer(caller, message?).await }
            })
            .buffer_unordered(ANSWERED_AT_ONCE)
            .take_until(over)
            .take_until(sleep(LASTS));
        Ok(Response::new(answers.boxed()))
    }
}

impl RaftService {
    /// The answer to a message of the server that `caller` is the number of.
    async fn answer(&self, caller: Option<u64>, message: PeerMessage) -> Result<PeerMessage, Status> {
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
        Ok(PeerMessage {
            from: store.server_id(),
            to: message.from,
            payload,
            call: message.call,
        })
    }
}

/// The number of the server that calls, by its certificate.
pub(super) fn server_id<T>(request: &Request<T>) -> Option<u64> {
    match request.extensions().get::<Identity>() {
        Some(Identity::Server { id, .. }) => Some(*id),
        _ => None,
    }
}
