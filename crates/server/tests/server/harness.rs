//! A server on a temporary folder, and a client with the words that tests are written in.

use std::{future::Future, path::PathBuf, time::Duration};

use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use skep_api::{
    convert,
    proto::{self, cluster_client::ClusterClient},
    status,
};
use skep_server::{Ready, ServerConfig, ServerError};
use tempfile::TempDir;
use tokio::{net::UnixStream, sync::oneshot, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tonic::{
    Status,
    transport::{Channel, Endpoint},
};

/// Long enough for a slow machine; tests end long before.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) type Client = ClusterClient<Channel>;

/// A server in this process, on a folder that goes with it.
pub(crate) struct Server {
    pub folder: TempDir,
    pub ready: Ready,
    pub channel: Channel,
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), ServerError>>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), |_| {}).await
    }

    pub(crate) async fn start_in(folder: TempDir, change: impl FnOnce(&mut ServerConfig)) -> Self {
        let mut config = ServerConfig::new(folder.path());
        change(&mut config);
        let (send, ready) = oneshot::channel();
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(skep_server::run(config, send, shutdown.clone()));
        let Ok(ready) = within(ready).await else {
            panic!("the server did not start: {:?}", task.await);
        };
        let channel = connect(ready.socket.clone()).await;
        Self {
            folder,
            ready,
            channel,
            shutdown,
            task,
        }
    }

    pub(crate) fn client(&self) -> Client {
        ClusterClient::new(self.channel.clone()).max_decoding_message_size(usize::MAX)
    }

    /// Ends the server and gives its folder back.
    pub(crate) async fn stop(self) -> TempDir {
        self.shutdown.cancel();
        within(self.task).await.unwrap().unwrap();
        self.folder
    }
}

pub(crate) async fn connect(socket: PathBuf) -> Channel {
    let dial = tower::service_fn(move |_| {
        let socket = socket.clone();
        async move { UnixStream::connect(socket).await.map(TokioIo::new) }
    });
    Endpoint::from_static("http://skep.local")
        .connect_with_connector(dial)
        .await
        .unwrap()
}

/// The result of something that must not take long.
pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future)
        .await
        .expect("took too long")
}

/// Calls with documents in place of messages.
pub(crate) trait Ask {
    async fn apply_doc(&self, document: Value) -> Result<proto::WriteResponse, Status>;
    async fn create_doc(&self, document: Value) -> Result<proto::WriteResponse, Status>;
    async fn update_doc(&self, document: Value) -> Result<proto::WriteResponse, Status>;
    async fn patch_doc(&self, kind: &str, name: &str, patch: Value) -> Result<proto::WriteResponse, Status>;
    async fn doc(&self, kind: &str, name: &str) -> Result<Value, Status>;
    async fn docs(&self, kind: &str, labels: &str) -> Vec<Value>;
    async fn delete_named(&self, kind: &str, name: &str) -> Result<proto::DeleteResponse, Status>;
    /// Waits until an object is as wanted; `Null` where it is not there.
    async fn until(&self, kind: &str, name: &str, wanted: impl FnMut(&Value) -> bool) -> Value;
}

impl Ask for Client {
    async fn apply_doc(&self, document: Value) -> Result<proto::WriteResponse, Status> {
        let request = proto::ApplyRequest {
            object: convert::struct_from_value(document),
            options: None,
        };
        self.clone().apply(request).await.map(tonic::Response::into_inner)
    }

    async fn create_doc(&self, document: Value) -> Result<proto::WriteResponse, Status> {
        let request = proto::CreateRequest {
            object: convert::struct_from_value(document),
            options: None,
        };
        self.clone()
            .create(request)
            .await
            .map(tonic::Response::into_inner)
    }

    async fn update_doc(&self, document: Value) -> Result<proto::WriteResponse, Status> {
        let request = proto::UpdateRequest {
            object: convert::struct_from_value(document),
            options: None,
        };
        self.clone()
            .update(request)
            .await
            .map(tonic::Response::into_inner)
    }

    async fn patch_doc(&self, kind: &str, name: &str, patch: Value) -> Result<proto::WriteResponse, Status> {
        let request = proto::PatchRequest {
            r#ref: object_ref(kind, name),
            patch: Some(convert::proto_from_value(patch)),
            ..Default::default()
        };
        self.clone().patch(request).await.map(tonic::Response::into_inner)
    }

    async fn doc(&self, kind: &str, name: &str) -> Result<Value, Status> {
        let request = proto::GetRequest {
            r#ref: object_ref(kind, name),
            stale_ok: false,
        };
        self.clone()
            .get(request)
            .await
            .map(|response| document(response.into_inner().object))
    }

    async fn docs(&self, kind: &str, labels: &str) -> Vec<Value> {
        let request = proto::ListRequest {
            kind: kind.to_owned(),
            label_selector: labels.to_owned(),
            ..Default::default()
        };
        let items = self.clone().list(request).await.unwrap().into_inner().items;
        items.into_iter().map(|item| document(Some(item))).collect()
    }

    async fn delete_named(&self, kind: &str, name: &str) -> Result<proto::DeleteResponse, Status> {
        let request = proto::DeleteRequest {
            r#ref: object_ref(kind, name),
            ..Default::default()
        };
        self.clone()
            .delete(request)
            .await
            .map(tonic::Response::into_inner)
    }

    async fn until(&self, kind: &str, name: &str, mut wanted: impl FnMut(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let request = proto::WatchRequest {
            kind: kind.to_owned(),
            field_selector: format!("metadata.name={name}"),
            bookmarks: true,
            ..Default::default()
        };
        let mut events = self.clone().watch(request).await.unwrap().into_inner();
        loop {
            let event = match tokio::time::timeout(PATIENCE, events.message()).await {
                Ok(event) => event.unwrap().expect("the watch goes on"),
                Err(_) => panic!("{kind} {name} never became as wanted; at last it was {last:#}"),
            };
            match event.r#type() {
                // The first one says that all there is was told: nothing before it means that the object is not there.
                proto::watch_event::Type::Bookmark => {}
                proto::watch_event::Type::Deleted => last = Value::Null,
                _ => last = document(event.object),
            }
            if wanted(&last) {
                return last;
            }
        }
    }
}

/// A reference into the namespace `default`, or into another one written `namespace/name`.
pub(crate) fn object_ref(kind: &str, name: &str) -> Option<proto::ObjectRef> {
    let (namespace, name) = name.split_once('/').unwrap_or(("", name));
    Some(proto::ObjectRef {
        kind: kind.to_owned(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    })
}

pub(crate) fn document(object: Option<skep_api::Struct>) -> Value {
    convert::value_from_struct(object.expect("an object"))
}

/// Reason and message of a refused call.
pub(crate) fn refusal(status: &Status) -> String {
    let detail = status::detail(status).unwrap_or_else(|| panic!("{status:?} has no detail"));
    assert_eq!(detail.message, status.message());
    format!("{}: {}", detail.reason, detail.message)
}

pub(crate) fn config_map(name: &str, value: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name }, "data": { "key": value } })
}

pub(crate) fn pod(name: &str, cpu: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": name, "labels": { "app": name } },
        "spec": { "containers": [{
            "name": "main", "image": "busybox:1", "resources": { "requests": { "cpu": cpu } },
        }] },
    })
}

pub(crate) fn deployment(name: &str, replicas: i64) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": name },
        "spec": {
            "replicas": replicas,
            "selector": { "matchLabels": { "app": name } },
            "template": {
                "metadata": { "labels": { "app": name } },
                "spec": { "containers": [{ "name": "main", "image": "busybox:1" }] },
            },
        },
    })
}
