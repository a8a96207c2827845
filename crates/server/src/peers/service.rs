//! What other servers ask of this one, besides consensus.

use std::sync::Arc;

use skep_api::proto::{
    CertificateInfo, CertificateRequest, DismissRequest, DismissResponse, EnterRequest, EnterResponse,
    ExecInput, ExecOutput, HeardRequest, HeardResponse, LogChunk, LogsRequest, peer_server::Peer,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::{consensus::server_id, enter::enter, touch};
use crate::{core::Core, join, streams};

/// `skep.v1.Peer`.
#[derive(Clone)]
pub(crate) struct PeerService(pub Arc<Core>);

#[tonic::async_trait]
impl Peer for PeerService {
    type LogsStream = ReceiverStream<Result<LogChunk, Status>>;
    type ExecStream = ReceiverStream<Result<ExecOutput, Status>>;

    async fn enter(&self, request: Request<EnterRequest>) -> Result<Response<EnterResponse>, Status> {
        if server_id(&request) != Some(request.get_ref().id) {
            return Err(Status::permission_denied("a server enters for itself only"));
        }
        let voter = enter(&self.0, request.into_inner()).await?;
        Ok(Response::new(EnterResponse { voter }))
    }

    async fn heard(&self, request: Request<HeardRequest>) -> Result<Response<HeardResponse>, Status> {
        touch::take_in(&self.0, request.into_inner().nodes).await?;
        Ok(Response::new(HeardResponse {}))
    }

    async fn dismiss(&self, request: Request<DismissRequest>) -> Result<Response<DismissResponse>, Status> {
        if request.into_inner().id == self.0.store.server_id() {
            tracing::warn!("another server says that this one was taken out of the cluster");
            self.0.departure.depart();
        }
        Ok(Response::new(DismissResponse {}))
    }

    async fn certificate(
        &self,
        request: Request<CertificateRequest>,
    ) -> Result<Response<CertificateInfo>, Status> {
        let id = self.0.store.server_id();
        if request.into_inner().id != id {
            return Err(Status::not_found(format!("server {id} answers in its place")));
        }
        let own = join::own_certificate(&self.0);
        own.map(Response::new)
            .ok_or_else(|| Status::unavailable("it has no certificate yet"))
    }

    async fn logs(&self, request: Request<LogsRequest>) -> Result<Response<Self::LogsStream>, Status> {
        let chunks = streams::logs_here(&self.0, request.into_inner()).await?;
        Ok(Response::new(chunks))
    }

    async fn exec(
        &self,
        request: Request<Streaming<ExecInput>>,
    ) -> Result<Response<Self::ExecStream>, Status> {
        let outputs = streams::exec_here(&self.0, request.into_inner()).await?;
        Ok(Response::new(outputs))
    }
}
