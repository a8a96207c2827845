//! Pods as documents, and what becomes of them.
#![expect(
    clippy::needless_pass_by_value,
    reason = "documents written in place read best"
)]

mod container;
mod env;
mod expand;
mod identity;
mod network;
mod pull;
mod resources;
mod security;

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    sync::{Arc, LazyLock},
};

use serde_json::{Value, json};
use skep_api::{ConfigMap, Pod, Secret};

use super::{ContainerKind, Dns, Facts, Grant, Inputs, Sources, SpecError};
use crate::runtime::{ContainerSpec, ImageInfo};

pub(super) const UID: &str = "0f3b8c1e-0000-4000-8000-000000000001";

/// A pod `shop/web` with this spec.
pub(super) fn pod(spec: Value) -> Pod {
    let document = json!({
        "metadata": {
            "name": "web", "namespace": "shop", "uid": UID,
            "labels": { "app": "web", "tier": "front \"end\"" },
            "annotations": { "note": "two\nlines" },
        },
        "spec": spec,
    });
    serde_json::from_value(document).expect("a pod")
}

/// A pod of one container `web` with these fields.
pub(super) fn pod_of(mut container: Value) -> Pod {
    container["name"] = json!("web");
    container["image"] = json!("web:v1");
    pod(json!({ "containers": [container] }))
}

/// What the first container of a pod becomes.
pub(super) fn first(pod: &Pod) -> Result<ContainerSpec, SpecError> {
    build(pod, |inputs| inputs)
}

/// The same, with other inputs than usual.
pub(super) fn build<'a>(
    pod: &Pod,
    change: impl FnOnce(Inputs<'a>) -> Inputs<'a>,
) -> Result<ContainerSpec, SpecError> {
    static USUAL: LazyLock<(ImageInfo, Dns)> = LazyLock::new(Default::default);
    super::container(pod, &pod.spec.containers[0], &change(inputs(&USUAL.0, &USUAL.1)))
}

pub(super) fn inputs<'a>(image: &'a ImageInfo, dns: &'a Dns) -> Inputs<'a> {
    Inputs {
        cluster: "c1",
        node: "node-1",
        kind: ContainerKind::App,
        attempt: 2,
        env: &[],
        image,
        mounts: Vec::new(),
        network: "skep",
        address: Some(Ipv4Addr::new(10, 244, 0, 9)),
        holder: None,
        seccomp_profile: None,
        dns,
        grant: Grant::default(),
        node_memory_bytes: 8 << 30,
        log_bytes_max: 1 << 20,
    }
}

pub(super) fn facts() -> Facts {
    Facts {
        node_name: "node-1".to_owned(),
        host_ip: "192.0.2.1".to_owned(),
        pod_address: Some(Ipv4Addr::new(10, 244, 0, 9)),
        allocatable: [("cpu".to_owned(), "4".parse().expect("a quantity"))].into(),
    }
}

/// Config maps and secrets of any namespace.
#[derive(Default)]
pub(super) struct Documents {
    config_maps: BTreeMap<String, Arc<ConfigMap>>,
    secrets: BTreeMap<String, Arc<Secret>>,
}

impl Documents {
    pub(super) fn config_map(mut self, name: &str, data: Value) -> Self {
        let map = json!({ "metadata": { "name": name, "namespace": "shop" }, "data": data });
        let map = serde_json::from_value(map).expect("a config map");
        self.config_maps.insert(name.to_owned(), Arc::new(map));
        self
    }

    pub(super) fn secret(mut self, name: &str, data: Value) -> Self {
        let secret = json!({ "metadata": { "name": name, "namespace": "shop" }, "data": data });
        let secret = serde_json::from_value(secret).expect("a secret");
        self.secrets.insert(name.to_owned(), Arc::new(secret));
        self
    }
}

impl Sources for Documents {
    fn config_map(&self, namespace: &str, name: &str) -> Option<Arc<ConfigMap>> {
        self.config_maps
            .get(name)
            .filter(|map| map.metadata.namespace == namespace)
            .cloned()
    }

    fn secret(&self, namespace: &str, name: &str) -> Option<Arc<Secret>> {
        self.secrets
            .get(name)
            .filter(|secret| secret.metadata.namespace == namespace)
            .cloned()
    }
}
