//! The calls that the load makes, with as much of their messages as it reads and writes; the numbers are those of the
//! servers' own protocols.

use bytes::Bytes;
use skep_api::proto::ObjectRef;
use tonic::{
    Request, Status, Streaming,
    client::Grpc,
    codegen::http::uri::PathAndQuery,
    transport::{Channel, Error},
};
use tonic_prost::ProstCodec;

/// A request without fields, or an answer of which nothing is read.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(crate) struct Nothing {}

/// `skep.v1.Cluster`: Create and Update. The object is a Struct, encoded.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct WriteObject {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) object: Bytes,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct GetObject {
    #[prost(message, optional, tag = "1")]
    pub(crate) r#ref: Option<ObjectRef>,
}

/// What Get and Watch answer with.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct GotObject {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) object: Bytes,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct WatchObjects {
    #[prost(string, tag = "1")]
    pub(crate) kind: String,
    #[prost(string, tag = "2")]
    pub(crate) namespace: String,
    #[prost(string, tag = "4")]
    pub(crate) field_selector: String,
    #[prost(string, tag = "5")]
    pub(crate) resource_version: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ObjectEvent {
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) object: Bytes,
}

/// `etcdserverpb.KV`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct PutKey {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) key: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) value: Bytes,
}

/// Range and WatchCreate, of one key.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct OneKey {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) key: Bytes,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct KeyValue {
    #[prost(bytes = "bytes", tag = "5")]
    pub(crate) value: Bytes,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct KeyRange {
    #[prost(message, repeated, tag = "2")]
    pub(crate) kvs: Vec<KeyValue>,
}

/// `etcdserverpb.Watch`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct WatchKey {
    #[prost(message, optional, tag = "1")]
    pub(crate) create: Option<OneKey>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct KeyEvent {
    #[prost(message, optional, tag = "2")]
    pub(crate) kv: Option<KeyValue>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct KeyEvents {
    #[prost(bool, tag = "3")]
    pub(crate) created: bool,
    #[prost(message, repeated, tag = "11")]
    pub(crate) events: Vec<KeyEvent>,
}

/// `etcdserverpb.Maintenance`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Header {
    #[prost(uint64, tag = "2")]
    pub(crate) member_id: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct MemberState {
    #[prost(message, optional, tag = "1")]
    pub(crate) header: Option<Header>,
    #[prost(uint64, tag = "4")]
    pub(crate) leader: u64,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(crate) struct MoveLeader {
    #[prost(uint64, tag = "1")]
    pub(crate) target: u64,
}

/// One call, one answer.
pub(crate) async fn call<Q, A>(line: &Channel, path: &'static str, request: Q) -> Result<A, Status>
where
    Q: prost::Message + Send + Sync + 'static,
    A: prost::Message + Default + Send + Sync + 'static,
{
    let mut grpc = Grpc::new(line.clone());
    grpc.ready().await.map_err(|error| not_ready(&error))?;
    let codec: ProstCodec<Q, A> = ProstCodec::default();
    let answer = grpc
        .unary(Request::new(request), PathAndQuery::from_static(path), codec)
        .await?;
    Ok(answer.into_inner())
}

/// Some requests, and answers as they come.
pub(crate) async fn stream<Q, A>(
    line: &Channel,
    path: &'static str,
    requests: impl futures::Stream<Item = Q> + Send + 'static,
) -> Result<Streaming<A>, Status>
where
    Q: prost::Message + Send + Sync + 'static,
    A: prost::Message + Default + Send + Sync + 'static,
{
    let mut grpc = Grpc::new(line.clone());
    grpc.ready().await.map_err(|error| not_ready(&error))?;
    let codec: ProstCodec<Q, A> = ProstCodec::default();
    let answer = grpc
        .streaming(Request::new(requests), PathAndQuery::from_static(path), codec)
        .await?;
    Ok(answer.into_inner())
}

fn not_ready(error: &Error) -> Status {
    Status::unavailable(error.to_string())
}
