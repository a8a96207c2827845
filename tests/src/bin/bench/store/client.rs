//! One client for both: the same connections, the same calls, another dialect.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{StreamExt, stream};
use rustls::ClientConfig;
use serde_json::json;
use skep_api::{
    convert,
    proto::{InfoRequest, InfoResponse, ListMembersResponse, MemberRequest, ObjectRef},
};
use tonic::{Status, Streaming, transport::Channel};

use super::{
    lean::LeanLine,
    wire::{
        GetObject, GotObject, KeyEvents, KeyRange, MemberState, MoveLeader, Nothing, ObjectEvent, OneKey,
        PutKey, WatchKey, WatchObjects, WriteObject, call, stream as streaming,
    },
};

/// Bytes of an object's value.
pub(crate) const VALUE_BYTES: usize = 256;

const NAMESPACE: &str = "default";

/// A call that takes longer has failed.
const CALL_LIMIT: Duration = Duration::from_secs(20);

/// Whose dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Skep,
    Etcd,
}

/// A connection to one server.
#[derive(Clone)]
pub(crate) struct Client {
    dialect: Dialect,
    line: Line,
}

#[derive(Clone)]
enum Line {
    /// Connects when first used, and anew where the connection breaks.
    Steady(Channel),
    Lean(LeanLine),
}

/// Events of one object.
pub(crate) enum Events {
    Skep(Streaming<ObjectEvent>),
    Etcd(Streaming<KeyEvents>),
}

/// Who a server is and whom it takes for the leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) server: u64,
    pub(crate) leader: u64,
    pub(crate) revision: u64,
}

impl Client {
    /// Connects when first used.
    pub(crate) fn new(dialect: Dialect, address: &str, tls: Arc<ClientConfig>) -> Self {
        let endpoint = skep_trust::endpoint(address)
            .expect("an address")
            .timeout(CALL_LIMIT);
        let line = endpoint.connect_with_connector_lazy(skep_trust::Connector::new(tls));
        let line = Line::Steady(line);
        Self { dialect, line }
    }

    /// Connects once, for writes and reads alone, which take little of this machine.
    pub(crate) async fn lean(dialect: Dialect, address: &str, tls: Arc<ClientConfig>) -> Self {
        let line = LeanLine::connect(address, tls).await;
        Self {
            dialect,
            line: Line::Lean(line.expect("the server takes a connection")),
        }
    }

    async fn call<Q, A>(&self, path: &'static str, request: Q) -> Result<A, Status>
    where
        Q: prost::Message + Send + Sync + 'static,
        A: prost::Message + Default + Send + Sync + 'static,
    {
        match &self.line {
            Line::Steady(line) => call(line, path, request).await,
            Line::Lean(line) => line.call(path, &request).await,
        }
    }

    /// For what takes a line that a lean one is not.
    fn steady(&self) -> Result<&Channel, Status> {
        match &self.line {
            Line::Steady(line) => Ok(line),
            Line::Lean(_) => Err(Status::unimplemented("a lean line is for single calls")),
        }
    }

    /// Makes the object.
    pub(crate) async fn create(&self, key: u32) -> Result<(), Status> {
        match self.dialect {
            Dialect::Skep => self.write("/skep.v1.Cluster/Create", key, 0).await,
            Dialect::Etcd => self.put(key, 0).await,
        }
    }

    /// Replaces the object by one that differs.
    pub(crate) async fn put(&self, key: u32, version: u32) -> Result<(), Status> {
        if self.dialect == Dialect::Skep {
            return self.write("/skep.v1.Cluster/Update", key, version).await;
        }
        let request = PutKey {
            key: name(key).into(),
            value: value(version).into(),
        };
        let _: Nothing = self.call("/etcdserverpb.KV/Put", request).await?;
        Ok(())
    }

    async fn write(&self, path: &'static str, key: u32, version: u32) -> Result<(), Status> {
        let object = Document::shared().encoded(key, version);
        let _: Nothing = self.call(path, WriteObject { object }).await?;
        Ok(())
    }

    /// Reads the object, with all that was acknowledged before.
    pub(crate) async fn get(&self, key: u32) -> Result<(), Status> {
        let found = match self.dialect {
            Dialect::Skep => {
                let r#ref = Some(ObjectRef {
                    kind: "ConfigMap".to_owned(),
                    namespace: NAMESPACE.to_owned(),
                    name: name(key),
                });
                let got: GotObject = self.call("/skep.v1.Cluster/Get", GetObject { r#ref }).await?;
                got.object.len() > VALUE_BYTES
            }
            Dialect::Etcd => {
                let key = name(key).into();
                let got: KeyRange = self.call("/etcdserverpb.KV/Range", OneKey { key }).await?;
                got.kvs.first().is_some_and(|kv| kv.value.len() == VALUE_BYTES)
            }
        };
        found
            .then_some(())
            .ok_or_else(|| Status::not_found(format!("object {key} is not as it was written")))
    }

    /// Follows the object from now on; returns once the server follows it.
    pub(crate) async fn watch(&self, key: u32) -> Result<Events, Status> {
        match self.dialect {
            Dialect::Skep => {
                let request = WatchObjects {
                    kind: "ConfigMap".to_owned(),
                    namespace: NAMESPACE.to_owned(),
                    field_selector: format!("metadata.name={}", name(key)),
                    resource_version: self.standing().await?.revision.to_string(),
                };
                let requests = stream::iter([request]);
                let events = streaming(self.steady()?, "/skep.v1.Cluster/Watch", requests).await?;
                Ok(Events::Skep(events))
            }
            Dialect::Etcd => {
                let create = Some(OneKey {
                    key: name(key).into(),
                });
                // The stream of requests stays open, or the server would end the watch.
                let requests = stream::iter([WatchKey { create }]).chain(stream::pending());
                let mut events: Streaming<KeyEvents> =
                    streaming(self.steady()?, "/etcdserverpb.Watch/Watch", requests).await?;
                match events.message().await? {
                    Some(first) if first.created => Ok(Events::Etcd(events)),
                    other => Err(Status::internal(format!("no watch: {other:?}"))),
                }
            }
        }
    }

    pub(crate) async fn standing(&self) -> Result<Standing, Status> {
        match self.dialect {
            Dialect::Skep => {
                let info: InfoResponse = self.call("/skep.v1.Cluster/Info", InfoRequest {}).await?;
                Ok(Standing {
                    server: info.server_id,
                    leader: info.leader_id,
                    revision: info.revision,
                })
            }
            Dialect::Etcd => {
                let path = "/etcdserverpb.Maintenance/Status";
                let state: MemberState = self.call(path, Nothing {}).await?;
                Ok(Standing {
                    server: state.header.map_or(0, |header| header.member_id),
                    leader: state.leader,
                    revision: 0,
                })
            }
        }
    }

    /// Hands the lead to a server; to be asked of the leader.
    pub(crate) async fn transfer(&self, target: u64) -> Result<(), Status> {
        match self.dialect {
            Dialect::Skep => {
                let member = target.to_string();
                let path = "/skep.v1.Members/TransferLeader";
                let _: ListMembersResponse = self.call(path, MemberRequest { member }).await?;
            }
            Dialect::Etcd => {
                let path = "/etcdserverpb.Maintenance/MoveLeader";
                let _: Nothing = self.call(path, MoveLeader { target }).await?;
            }
        }
        Ok(())
    }
}

impl Events {
    /// Waits for the next event.
    pub(crate) async fn next(&mut self) -> Result<(), Status> {
        let there = match self {
            Self::Skep(events) => events
                .message()
                .await?
                .is_some_and(|event| !event.object.is_empty()),
            Self::Etcd(events) => events
                .message()
                .await?
                .is_some_and(|told| told.events.iter().any(|event| event.kv.is_some())),
        };
        there
            .then_some(())
            .ok_or_else(|| Status::unavailable("the watch has ended"))
    }
}

fn name(key: u32) -> String {
    format!("bench-{key:08}")
}

/// A value that begins with its version.
fn value(version: u32) -> String {
    format!("{version:0>VALUE_BYTES$}")
}

/// A ConfigMap as its Struct is encoded, with the places of its name and its value.
struct Document {
    bytes: Vec<u8>,
    name_at: usize,
    value_at: usize,
}

impl Document {
    fn shared() -> &'static Self {
        static SHARED: std::sync::OnceLock<Document> = std::sync::OnceLock::new();
        SHARED.get_or_init(Self::new)
    }

    fn new() -> Self {
        let (name, value) = (name(0), value(0));
        let object = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": { "namespace": NAMESPACE, "name": name },
            "data": { "value": value },
        });
        let object = convert::struct_from_value(object).expect("a mapping");
        let bytes = prost::Message::encode_to_vec(&object);
        let find = |text: &str| {
            let found = bytes
                .windows(text.len())
                .position(|window| window == text.as_bytes());
            found.expect("the text is in the document")
        };
        let (name_at, value_at) = (find(&name), find(&value));
        Self {
            bytes,
            name_at,
            value_at,
        }
    }

    fn encoded(&self, key: u32, version: u32) -> Bytes {
        let mut bytes = self.bytes.clone();
        let (name, value) = (name(key), value(version));
        bytes[self.name_at..self.name_at + name.len()].copy_from_slice(name.as_bytes());
        bytes[self.value_at..self.value_at + value.len()].copy_from_slice(value.as_bytes());
        bytes.into()
    }
}
