//! Labels by which the agent finds its containers again, and rebuilds what it knew from the engine alone.

use std::{collections::BTreeMap, net::Ipv4Addr};

use skep_api::{Container, Pod};

use super::{ContainerKind, Inputs, container_hash};

/// The labels' names.
pub mod label {
    /// The cluster's id.
    pub const CLUSTER: &str = "skep.io/cluster";
    /// The node's name.
    pub const NODE: &str = "skep.io/node";
    /// The pod's uid.
    pub const POD_UID: &str = "skep.io/pod-uid";
    /// The pod's name.
    pub const POD_NAME: &str = "skep.io/pod-name";
    /// The pod's namespace.
    pub const POD_NAMESPACE: &str = "skep.io/pod-namespace";
    /// The pod's address; absent on the node's network.
    pub const POD_ADDRESS: &str = "skep.io/pod-address";
    /// Seconds the pod's containers have to end.
    pub const GRACE_SECONDS: &str = "skep.io/termination-grace-seconds";
    /// The container's name within the pod; empty for a holder.
    pub const CONTAINER_NAME: &str = "skep.io/container-name";
    /// `init`, `app` or `holder`.
    pub const CONTAINER_KIND: &str = "skep.io/container-kind";
    /// How often the container was started before.
    pub const ATTEMPT: &str = "skep.io/attempt";
    /// [`crate::spec::container_hash`] of the container.
    pub const SPEC_HASH: &str = "skep.io/spec-hash";
    /// The pod's devices and CPUs, as JSON: ids by container and resource; absent where it has none.
    pub const DEVICES: &str = "skep.io/devices";
    /// CPUs that the container was made for; absent where it may run on any.
    pub const CPUS: &str = "skep.io/cpus";
}

/// The labels that every container of this node of this cluster carries: what to list and watch by.
pub fn node_labels(cluster: &str, node: &str) -> BTreeMap<String, String> {
    BTreeMap::from([
        (label::CLUSTER.to_owned(), cluster.to_owned()),
        (label::NODE.to_owned(), node.to_owned()),
    ])
}

/// A container's labels, read back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerLabels {
    /// The pod's uid.
    pub pod_uid: String,
    /// The pod's name.
    pub pod_name: String,
    /// The pod's namespace.
    pub pod_namespace: String,
    /// The pod's address; `None` on the node's network.
    pub pod_address: Option<Ipv4Addr>,
    /// Seconds the pod's containers have to end.
    pub grace_seconds: i64,
    /// The container's name within the pod; empty for a holder.
    pub container_name: String,
    /// What it is to its pod.
    pub kind: ContainerKind,
    /// How often it was started before.
    pub attempt: u32,
    /// [`container_hash`] when it was made.
    pub spec_hash: String,
}

impl ContainerLabels {
    /// Reads them back; `None` where the container is not one of a pod's.
    pub fn parse(labels: &BTreeMap<String, String>) -> Option<Self> {
        let text = |name: &str| labels.get(name).cloned().unwrap_or_default();
        Some(Self {
            pod_uid: labels.get(label::POD_UID)?.clone(),
            pod_name: labels.get(label::POD_NAME)?.clone(),
            pod_namespace: text(label::POD_NAMESPACE),
            pod_address: text(label::POD_ADDRESS).parse().ok(),
            grace_seconds: text(label::GRACE_SECONDS).parse().unwrap_or(30),
            container_name: text(label::CONTAINER_NAME),
            kind: ContainerKind::parse(labels.get(label::CONTAINER_KIND)?)?,
            attempt: text(label::ATTEMPT).parse().unwrap_or(0),
            spec_hash: text(label::SPEC_HASH),
        })
    }
}

/// The labels of one run of a container; `container` is `None` for the holder.
pub(super) fn labels(
    pod: &Pod,
    container: Option<&Container>,
    inputs: &Inputs<'_>,
) -> BTreeMap<String, String> {
    let mut labels = node_labels(inputs.cluster, inputs.node);
    let mut put = |name: &str, value: String| labels.insert(name.to_owned(), value);
    put(label::POD_UID, pod.metadata.uid.clone());
    put(label::POD_NAME, pod.metadata.name.clone());
    put(label::POD_NAMESPACE, pod.metadata.namespace.clone());
    if let (Some(address), false) = (inputs.address, pod.spec.host_network) {
        put(label::POD_ADDRESS, address.to_string());
    }
    put(
        label::GRACE_SECONDS,
        pod.spec.termination_grace_period_seconds.to_string(),
    );
    put(
        label::CONTAINER_NAME,
        container
            .map(|container| container.name.clone())
            .unwrap_or_default(),
    );
    put(label::CONTAINER_KIND, inputs.kind.to_string());
    for (name, text) in [
        (label::DEVICES, &inputs.grant.label),
        (label::CPUS, &inputs.grant.cpus),
    ] {
        if !text.is_empty() {
            put(name, text.clone());
        }
    }
    put(label::ATTEMPT, inputs.attempt.to_string());
    put(
        label::SPEC_HASH,
        container.map(container_hash).unwrap_or_default(),
    );
    labels
}
