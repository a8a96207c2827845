//! The Node as the agent tells of it.

use skep_api::Struct;
use skep_api::{
    ContainerImage, Node, NodeAddress, NodeAddressType, NodeCondition, NodeStatus, Time, convert, node_label,
    well_known::HOSTNAME,
};

use super::{MachineFacts, allocatable, conditions::conditions};
use crate::{
    AgentConfig, clock,
    devices::Devices,
    engine::EngineState,
    eviction::Pressures,
    runtime::ImageInfo,
    shared::{Bridge, Shared},
};

/// Images that are told of, largest first, as in Kubernetes.
const IMAGES_MAX: usize = 50;

/// Names of one image that are told.
const IMAGE_NAMES_MAX: usize = 5;

/// All that a Node is told from.
pub(super) struct NodeView<'a> {
    pub(super) config: &'a AgentConfig,
    pub(super) devices: &'a Devices,
    pub(super) facts: &'a MachineFacts,
    pub(super) engine: &'a EngineState,
    pub(super) bridge: &'a Bridge,
    pub(super) pressures: &'a Pressures,
    pub(super) images: &'a [ImageInfo],
    pub(super) before: &'a [NodeCondition],
}

/// The Node to register with, before any image is known.
pub(crate) fn hello(shared: &Shared, facts: &MachineFacts, engine: &EngineState) -> Struct {
    let pressures = shared.pressures();
    let view = NodeView {
        config: &shared.config,
        devices: &shared.devices,
        facts,
        engine,
        bridge: &Bridge::Untried,
        pressures: &pressures,
        images: &[],
        before: &[],
    };
    convert::to_struct(&node(&view, clock::now()).into())
}

/// The Node with its present status.
pub(super) fn node(view: &NodeView<'_>, now: Time) -> Node {
    let NodeView {
        config,
        facts,
        engine,
        ..
    } = view;
    let mut node = Node::default();
    node.metadata.name.clone_from(&config.node_name);
    node.metadata.labels.clone_from(&config.labels);
    for (key, value) in [
        (HOSTNAME, &config.node_name),
        (node_label::OS, &facts.info.operating_system),
        (node_label::ARCH, &facts.info.architecture),
        (node_label::INSTANCE_TYPE, &facts.instance_type),
    ] {
        if !value.is_empty() {
            node.metadata
                .labels
                .entry(key.to_owned())
                .or_insert_with(|| value.clone());
        }
    }
    for (key, value) in view.devices.gpu_labels() {
        node.metadata.labels.entry(key.to_owned()).or_insert(value);
    }
    node.spec.taints.clone_from(&config.taints);
    let mut info = facts.info.clone();
    if let Some(engine) = &engine.info {
        info.container_runtime_version = format!("docker://{}", engine.version);
    }
    let (all, there) = view.devices.amounts();
    let mut capacity = facts.capacity.clone();
    let mut allocatable = allocatable(&capacity, config);
    capacity.extend(all);
    allocatable.extend(there);
    node.status = NodeStatus {
        capacity,
        allocatable,
        conditions: dated(view, now),
        addresses: addresses(facts),
        node_info: info,
        images: images(view.images),
    };
    node
}

fn dated(view: &NodeView<'_>, now: Time) -> Vec<NodeCondition> {
    let mut found = conditions(view.pressures, view.engine, view.bridge, now);
    for condition in &mut found {
        let before = view
            .before
            .iter()
            .find(|before| before.r#type == condition.r#type);
        let since = before.filter(|before| before.status == condition.status);
        condition.last_transition_time = since
            .and_then(|before| before.last_transition_time)
            .or(Some(now.whole_secs()));
        condition.last_heartbeat_time = Some(now.whole_secs());
    }
    found
}

fn addresses(facts: &MachineFacts) -> Vec<NodeAddress> {
    let all = [
        (NodeAddressType::InternalIP, &facts.address),
        (NodeAddressType::Hostname, &facts.host_name),
    ];
    let told = all.into_iter().filter(|(_, address)| !address.is_empty());
    told.map(|(r#type, address)| NodeAddress {
        r#type,
        address: address.clone(),
    })
    .collect()
}

fn images(images: &[ImageInfo]) -> Vec<ContainerImage> {
    let mut images: Vec<&ImageInfo> = images.iter().filter(|image| !image.names.is_empty()).collect();
    images.sort_by(|a, b| {
        b.size_bytes
            .cmp(&a.size_bytes)
            .then_with(|| a.names.cmp(&b.names))
    });
    let told = images.into_iter().take(IMAGES_MAX).map(|image| ContainerImage {
        names: image.names.iter().take(IMAGE_NAMES_MAX).cloned().collect(),
        size_bytes: i64::try_from(image.size_bytes).unwrap_or(i64::MAX),
    });
    told.collect()
}
