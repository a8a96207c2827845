//! Deployments of pods as clusters have them, and how many of their pods run.

use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use skep_api::{
    convert,
    proto::{CreateRequest, ListRequest},
};
use tokio::runtime::Runtime;
use tonic::Status;

use super::delays::WATCHED;
use crate::scale::Cluster;

/// Replicas of a deployment; the last one has what is left.
const REPLICAS: usize = 1_000;

/// Of so many deployments the first is watched.
const WATCHED_OF: usize = 10;

/// Deployments that are applied at once.
const AT_ONCE: usize = 10;

/// Deployments, by their numbers of replicas.
pub(crate) struct Workload(Vec<usize>);

impl Workload {
    /// So many pods altogether; ten deployments at least, where there are as many pods.
    pub(crate) fn of(pods: usize) -> Self {
        let replicas = REPLICAS.min(pods.div_ceil(WATCHED_OF));
        let sizes = (0..pods)
            .step_by(replicas)
            .map(|first| replicas.min(pods - first));
        Self(sizes.collect())
    }

    pub(crate) fn pods(&self) -> usize {
        self.0.iter().sum()
    }

    pub(crate) fn deployments(&self) -> usize {
        self.0.len()
    }

    /// Pods that are watched.
    pub(crate) fn watched(&self) -> usize {
        self.0.iter().step_by(WATCHED_OF).sum()
    }

    pub(crate) async fn apply(&self, client: &Cluster) {
        let creates = self.0.iter().enumerate().map(|(number, replicas)| {
            let mut client = client.clone();
            let request = CreateRequest {
                object: convert::struct_from_value(deployment(number, *replicas)),
                ..CreateRequest::default()
            };
            async move { client.create(request).await.map(drop) }
        });
        let created = stream::iter(creates).buffer_unordered(AT_ONCE);
        let created: Result<(), Status> = created.try_collect().await;
        created.expect("the deployments are taken");
    }

    /// Pods that run and are ready, as the server counts them.
    pub(crate) fn running(&self, runtime: &Runtime, client: &mut Cluster) -> usize {
        let request = ListRequest {
            kind: "deployments".to_owned(),
            ..ListRequest::default()
        };
        let list = runtime.block_on(client.list(request)).expect("the server lists");
        let items = list
            .into_inner()
            .items
            .into_iter()
            .map(convert::value_from_struct);
        let ready = items.filter_map(|item| item["status"]["readyReplicas"].as_u64());
        usize::try_from(ready.sum::<u64>()).expect("a count")
    }
}

fn deployment(number: usize, replicas: usize) -> Value {
    let name = format!("service-{number}");
    let labels = json!({
        "app": name, "app.kubernetes.io/component": "backend", WATCHED: number.is_multiple_of(WATCHED_OF).to_string(),
    });
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": name, "namespace": "default", "labels": labels },
        "spec": {
            "replicas": replicas,
            "selector": { "matchLabels": { "app": name } },
            "template": { "metadata": { "labels": labels }, "spec": { "containers": [container(&name)] } },
        },
    })
}

fn container(name: &str) -> Value {
    json!({
        "name": "main",
        "image": format!("registry.example/team/{name}:1.4.2"),
        "imagePullPolicy": "IfNotPresent",
        "args": ["--listen=0.0.0.0:8080", "--log-level=info"],
        "ports": [{ "name": "http", "containerPort": 8080, "protocol": "TCP" }],
        "env": [
            { "name": "SERVICE", "value": name },
            { "name": "POD_NAME", "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } } },
        ],
        "resources": { "requests": { "cpu": "10m", "memory": "16Mi" }, "limits": { "memory": "64Mi" } },
        "readinessProbe": { "httpGet": { "path": "/ready", "port": 8080 }, "periodSeconds": 5 },
    })
}
