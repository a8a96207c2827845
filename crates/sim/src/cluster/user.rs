//! Somebody who wants things of the cluster: asks any server, loses patience, and asks again.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::Arc,
    time::Duration,
};

use serde_json::{Value, json};
use skep_api::{
    Resource, convert,
    proto::{
        ApplyRequest, CreateTokenRequest, DeleteRequest, JoinRole, ListMembersRequest, ListRequest,
        MemberRequest, ObjectRef, WriteOptions, cluster_client::ClusterClient, members_client::MembersClient,
        trust_client::TrustClient,
    },
};
use skep_trust::{Network, Stream, Wire};
use tokio::time::sleep;
use tonic::{
    Code, Status,
    transport::{Channel, Endpoint, Uri},
};

use crate::{luck, trace::note};

/// How long a server may take over a call.
const PATIENCE: Duration = Duration::from_secs(10);

/// The sockets of the servers that run.
pub(super) type Sockets<'a> = &'a [String];

/// What is wanted of the cluster, and the way to ask for it.
pub(super) struct User {
    network: Arc<dyn Network>,
    /// By name: how many replicas.
    pub(super) deployments: BTreeMap<String, i32>,
    images: BTreeMap<String, u32>,
    /// Bare pods.
    pub(super) singles: BTreeSet<String>,
    requests: u64,
}

impl User {
    pub(super) fn new(network: Arc<dyn Network>) -> Self {
        Self {
            network,
            deployments: BTreeMap::new(),
            images: BTreeMap::new(),
            singles: BTreeSet::new(),
            requests: 0,
        }
    }

    /// A channel to the server with this socket.
    async fn channel(&self, socket: &str) -> Result<Channel, Status> {
        let (wire, socket) = (Wire::through(self.network.clone()), socket.to_owned());
        let connector = tower::service_fn(move |_: Uri| {
            let (wire, socket) = (wire.clone(), socket.clone());
            async move {
                let stream: Stream = wire.connect(&socket).await?;
                io::Result::Ok(hyper_util::rt::TokioIo::new(stream))
            }
        });
        let endpoint = Endpoint::from_static("http://localhost")
            .connect_timeout(PATIENCE)
            .timeout(PATIENCE);
        endpoint
            .connect_with_connector(connector)
            .await
            .map_err(|error| Status::unavailable(error.to_string()))
    }

    /// A join token of this role, good for so many uses.
    pub(super) async fn token(&self, socket: &str, role: JoinRole, uses: u32) -> String {
        let mut trust = TrustClient::new(self.channel(socket).await.unwrap());
        let request = CreateTokenRequest {
            role: role.into(),
            uses,
            ..CreateTokenRequest::default()
        };
        trust.create_token(request).await.unwrap().into_inner().token
    }

    /// A deployment of this name: a new one, or the same with other replicas, or with another image.
    pub(super) fn wish(&mut self, name: &str, replicas: i32, roll: bool) -> Value {
        let image = self.images.entry(name.to_owned()).or_default();
        *image += u32::from(roll);
        self.deployments.insert(name.to_owned(), replicas);
        json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": { "name": name, "namespace": "default" },
            "spec": {
                "replicas": replicas,
                "selector": { "matchLabels": { "app": name } },
                "template": {
                    "metadata": { "labels": { "app": name } },
                    "spec": {
                        "terminationGracePeriodSeconds": 5,
                        "containers": [{ "name": "main", "image": format!("web:v{image}") }],
                    },
                },
            },
        })
    }

    /// A bare pod of this name.
    pub(super) fn wish_single(&mut self, name: &str) -> Value {
        self.singles.insert(name.to_owned());
        json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": { "name": name, "namespace": "default" },
            "spec": {
                "terminationGracePeriodSeconds": 5,
                "containers": [{ "name": "main", "image": "web:v1" }],
            },
        })
    }

    /// Applies a document, until a server says that it is written.
    pub(super) async fn apply(&mut self, sockets: Sockets<'_>, document: Value) {
        self.requests += 1;
        let id = format!("user-{}", self.requests);
        note!("user wants {document}");
        loop {
            let request = ApplyRequest {
                object: convert::struct_from_value(document.clone()),
                options: Some(WriteOptions {
                    request_id: id.clone(),
                    ..WriteOptions::default()
                }),
            };
            match self.apply_once(sockets, request).await {
                Ok(()) => return,
                Err(status) => self.bear(&status).await,
            }
        }
    }

    async fn apply_once(&self, sockets: Sockets<'_>, request: ApplyRequest) -> Result<(), Status> {
        let channel = self.any(sockets).await?;
        ClusterClient::new(channel).apply(request).await.map(drop)
    }

    /// Deletes a pod in good order, until a server says that it is on its way.
    pub(super) async fn delete_pod(&mut self, sockets: Sockets<'_>, name: &str) {
        note!("user deletes pod {name}");
        self.singles.remove(name);
        loop {
            let request = DeleteRequest {
                r#ref: Some(ObjectRef {
                    kind: "Pod".to_owned(),
                    namespace: "default".to_owned(),
                    name: name.to_owned(),
                }),
                ..DeleteRequest::default()
            };
            let deleted = async { ClusterClient::new(self.any(sockets).await?).delete(request).await };
            match deleted.await {
                Ok(_) => return,
                Err(status) if status.code() == Code::NotFound => return,
                Err(status) => self.bear(&status).await,
            }
        }
    }

    /// All objects of a kind, as any server knows them by now, or as all of them do.
    pub(super) async fn list<K: Resource>(
        &self,
        sockets: Sockets<'_>,
        stale_ok: bool,
    ) -> Result<Vec<K>, Status> {
        let request = ListRequest {
            kind: K::KIND.as_str().to_owned(),
            stale_ok,
            ..ListRequest::default()
        };
        let channel = self.any(sockets).await?;
        let listed = ClusterClient::new(channel).list(request).await?.into_inner();
        let objects = listed
            .items
            .into_iter()
            .map(|item| convert::from_struct(item).unwrap());
        Ok(objects
            .filter_map(|object| K::from_object(&object).cloned())
            .collect())
    }

    /// The servers' addresses by their names, as the servers have them.
    pub(super) async fn servers(&self, sockets: Sockets<'_>) -> Result<BTreeMap<String, String>, Status> {
        let channel = self.any(sockets).await?;
        let listed = MembersClient::new(channel).list(ListMembersRequest {}).await?;
        let members = listed.into_inner().members.into_iter();
        Ok(members.map(|member| (member.name, member.address)).collect())
    }

    /// Hands the lead to a server; that may fail.
    pub(super) async fn transfer(&self, sockets: Sockets<'_>, to: &str) -> Result<(), Status> {
        let channel = self.any(sockets).await?;
        let request = MemberRequest {
            member: to.to_owned(),
        };
        MembersClient::new(channel)
            .transfer_leader(request)
            .await
            .map(drop)
    }

    async fn any(&self, sockets: Sockets<'_>) -> Result<Channel, Status> {
        let socket = luck::choose(sockets).ok_or_else(|| Status::unavailable("no server is up"))?;
        self.channel(&socket).await
    }

    /// # Panics
    /// Where a server says no to what is right.
    async fn bear(&self, status: &Status) {
        note!("user is told {:?}: {}", status.code(), status.message());
        let retryable = [
            Code::Unavailable,
            Code::DeadlineExceeded,
            Code::Cancelled,
            Code::Unknown,
            Code::Aborted,
        ];
        assert!(retryable.contains(&status.code()), "a server says no: {status:?}");
        sleep(Duration::from_millis(luck::range(100..1000))).await;
    }
}
