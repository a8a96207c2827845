//! What is answered there.

use std::sync::Arc;

use futures::{StreamExt, stream::BoxStream};
use skep_api::{
    Object, ObjectKey, Pod, convert,
    proto::{LocalPodsRequest, LocalPodsResponse, LogChunk, LogsRequest, local_server::Local},
};
use tonic::{Request, Response, Status};

use crate::{
    link::LinkState,
    shared::Shared,
    streams::{self, Refusal},
};

/// Answers on the machine itself.
pub(super) struct Door {
    shared: Arc<Shared>,
}

impl Door {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// A pod with the status that was reported last.
    fn pod(&self, pod: &Pod) -> Object {
        let mut pod = pod.clone();
        if let Some(status) = self.shared.outbox.status(&pod.metadata.uid) {
            pod.status = status;
        }
        pod.into()
    }
}

#[tonic::async_trait]
impl Local for Door {
    type LogsStream = BoxStream<'static, Result<LogChunk, Status>>;

    async fn pods(&self, _: Request<LocalPodsRequest>) -> Result<Response<LocalPodsResponse>, Status> {
        let shared = &self.shared;
        let (server, since) = match shared.link.state() {
            LinkState::Up(server) => (server, 0),
            LinkState::CutOff(since) => (String::new(), since.as_millis()),
        };
        let pods = shared.roster.all();
        Ok(Response::new(LocalPodsResponse {
            node_name: shared.config.node_name.clone(),
            cluster_id: shared.cluster().to_owned(),
            server,
            cut_off_since_millis: since,
            pods: pods
                .iter()
                .map(|pod| convert::to_struct(&self.pod(pod)))
                .collect(),
            from_checkpoint: shared.roster.is_from_checkpoint(),
        }))
    }

    async fn logs(&self, request: Request<LogsRequest>) -> Result<Response<Self::LogsStream>, Status> {
        let request = request.into_inner();
        let namespace = Some(request.namespace.as_str()).filter(|name| !name.is_empty());
        let key = ObjectKey::new(namespace.unwrap_or("default"), &request.pod);
        let Some(uid) = self.shared.roster.uid(&key) else {
            return Err(Status::not_found(format!("pod {key} is not on this node")));
        };
        let log = streams::log(&self.shared, &uid, &request).await.map_err(status)?;
        let chunks = log.map(|chunk| match chunk {
            Ok(data) => Ok(LogChunk { data: data.to_vec() }),
            Err(refusal) => Err(status(refusal)),
        });
        Ok(Response::new(chunks.boxed()))
    }
}

fn status(Refusal { reason, message }: Refusal) -> Status {
    match reason {
        "NotFound" => Status::not_found(message),
        "BadRequest" => Status::invalid_argument(message),
        _ => Status::internal(message),
    }
}
