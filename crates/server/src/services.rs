//! The gRPC services, each call handed to the part that answers it.

use std::sync::Arc;

use skep_api::{
    convert, explain,
    proto::{
        AgentMessage, ApiResourcesRequest, ApiResourcesResponse, ApplyPlanRequest, ApplyPlanResponse,
        ApplyRequest, CreateRequest, DeleteRequest, DeleteResponse, DescribeResponse, EvictRequest,
        EvictResponse, ExecInput, ExecOutput, ExplainRequest, ExplainResponse, GetRequest, GetResponse,
        InfoRequest, InfoResponse, ListRequest, ListResponse, LogChunk, LogsRequest, PatchRequest,
        PlanRebalanceRequest, PlanRebalanceResponse, PlanRequest, PlanResponse, ServerMessage, TableResponse,
        TunnelDown, TunnelUp, UpdateRequest, WatchEvent, WatchRequest, WriteResponse,
        cluster_server::Cluster, node_server, tunnel_up,
    },
};
use skep_trust::Certificate;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use crate::{
    clock::now,
    core::Core,
    failure::Failure,
    read, render, sessions, streams,
    tunnels::{TUNNEL_MESSAGES, Tunnel},
    write,
};

/// `skep.v1.Cluster`.
#[derive(Clone)]
pub(crate) struct ClusterService(pub Arc<Core>);

/// `skep.v1.Node`.
#[derive(Clone)]
pub(crate) struct NodeService(pub Arc<Core>);

type Answer<T> = Result<Response<T>, Status>;

fn answer<T>(result: Result<T, Failure>) -> Answer<T> {
    result.map(Response::new).map_err(Status::from)
}

#[tonic::async_trait]
impl Cluster for ClusterService {
    type WatchStream = ReceiverStream<Result<WatchEvent, Status>>;
    type LogsStream = ReceiverStream<Result<LogChunk, Status>>;
    type ExecStream = ReceiverStream<Result<ExecOutput, Status>>;

    async fn apply(&self, request: Request<ApplyRequest>) -> Answer<WriteResponse> {
        answer(write::apply(&self.0, request.into_inner()).await)
    }

    async fn create(&self, request: Request<CreateRequest>) -> Answer<WriteResponse> {
        answer(write::create(&self.0, request.into_inner()).await)
    }

    async fn update(&self, request: Request<UpdateRequest>) -> Answer<WriteResponse> {
        answer(write::update(&self.0, request.into_inner()).await)
    }

    async fn patch(&self, request: Request<PatchRequest>) -> Answer<WriteResponse> {
        answer(write::patch(&self.0, request.into_inner()).await)
    }

    async fn delete(&self, request: Request<DeleteRequest>) -> Answer<DeleteResponse> {
        answer(write::delete(&self.0, request.into_inner()).await)
    }

    async fn evict(&self, request: Request<EvictRequest>) -> Answer<EvictResponse> {
        answer(write::evict(&self.0, request.into_inner()).await)
    }

    async fn plan(&self, request: Request<PlanRequest>) -> Answer<PlanResponse> {
        answer(write::plan(&self.0, request.into_inner()).await)
    }

    async fn apply_plan(&self, request: Request<ApplyPlanRequest>) -> Answer<ApplyPlanResponse> {
        answer(write::apply_plan(&self.0, request.into_inner()).await)
    }

    async fn plan_rebalance(&self, _: Request<PlanRebalanceRequest>) -> Answer<PlanRebalanceResponse> {
        answer(write::plan_rebalance(&self.0).await)
    }

    async fn get(&self, request: Request<GetRequest>) -> Answer<GetResponse> {
        let request = request.into_inner();
        let (kind, key) = read::resolve(request.r#ref.as_ref())?;
        let state = self.0.read(request.stale_ok).await?;
        let object = state.object(kind, &key).ok_or(Failure::NotFound(kind, key))?;
        Ok(Response::new(GetResponse {
            object: Some(convert::to_struct(object)),
        }))
    }

    async fn list(&self, request: Request<ListRequest>) -> Answer<ListResponse> {
        answer(read::list(&self.0, request.into_inner()).await)
    }

    async fn table(&self, request: Request<ListRequest>) -> Answer<TableResponse> {
        answer(read::table(&self.0, request.into_inner()).await)
    }

    async fn watch(&self, request: Request<WatchRequest>) -> Answer<Self::WatchStream> {
        answer(read::watch(self.0.clone(), request.into_inner()).await)
    }

    async fn describe(&self, request: Request<GetRequest>) -> Answer<DescribeResponse> {
        let request = request.into_inner();
        let (kind, key) = read::resolve(request.r#ref.as_ref())?;
        let state = self.0.read(request.stale_ok).await?;
        let object = state.object(kind, &key).ok_or(Failure::NotFound(kind, key))?;
        Ok(Response::new(DescribeResponse {
            text: render::describe(&state, object, now()),
        }))
    }

    async fn logs(&self, request: Request<LogsRequest>) -> Answer<Self::LogsStream> {
        streams::logs(&self.0, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn exec(&self, request: Request<Streaming<ExecInput>>) -> Answer<Self::ExecStream> {
        streams::exec(&self.0, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn api_resources(&self, _: Request<ApiResourcesRequest>) -> Answer<ApiResourcesResponse> {
        Ok(Response::new(read::api_resources()))
    }

    async fn explain(&self, request: Request<ExplainRequest>) -> Answer<ExplainResponse> {
        let request = request.into_inner();
        let text = explain::explain(&request.path, request.recursive);
        answer(
            text.map(|text| ExplainResponse { text })
                .map_err(|error| Failure::BadRequest(error.to_string())),
        )
    }

    async fn info(&self, _: Request<InfoRequest>) -> Answer<InfoResponse> {
        Ok(Response::new(read::info(&self.0)))
    }
}

#[tonic::async_trait]
impl node_server::Node for NodeService {
    type SessionStream = ReceiverStream<Result<ServerMessage, Status>>;
    type TunnelStream = ReceiverStream<Result<TunnelDown, Status>>;

    async fn session(&self, request: Request<Streaming<AgentMessage>>) -> Answer<Self::SessionStream> {
        let caller = request.extensions().get::<Arc<Certificate>>().cloned();
        sessions::converse(self.0.clone(), caller, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn tunnel(&self, request: Request<Streaming<TunnelUp>>) -> Answer<Self::TunnelStream> {
        let mut up = request.into_inner();
        let first = up.message().await?.and_then(|message| message.message);
        let Some(tunnel_up::Message::Accept(id)) = first else {
            return Err(Failure::BadRequest("the first message must be accept".to_owned()).into());
        };
        let (down, messages) = mpsc::channel(TUNNEL_MESSAGES);
        self.0
            .tunnels
            .open(&id, Tunnel { up, down })
            .map_err(|status| *status)?;
        Ok(Response::new(ReceiverStream::new(messages)))
    }
}
