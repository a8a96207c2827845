//! Nodes as rows.

use skep_api::{ConditionStatus, Node, NodeAddressType, NodeConditionType, Time};

use super::{AGE, Column, NAME, shown, wide};
use crate::render::{age::age, cells::or_none};

pub(super) const COLUMNS: &[Column] = &[
    NAME,
    shown("STATUS", "string", "Whether it can run pods and takes new ones."),
    shown("ROLES", "string", "What it is for."),
    AGE,
    shown("VERSION", "string", "The version of its agent."),
    wide("INTERNAL-IP", "string", "Its address inside the cluster."),
    wide("EXTERNAL-IP", "string", "Its address outside."),
    wide("OS-IMAGE", "string", "Its distribution."),
    wide("KERNEL-VERSION", "string", "Its kernel."),
    wide("CONTAINER-RUNTIME", "string", "Its engine."),
];

pub(super) fn row(node: &Node, now: Time) -> Vec<String> {
    let info = &node.status.node_info;
    vec![
        node.metadata.name.clone(),
        status(node),
        roles(node),
        age(now, node.metadata.creation_timestamp),
        or_none(&info.kubelet_version),
        address(node, NodeAddressType::InternalIP),
        address(node, NodeAddressType::ExternalIP),
        or_unknown(&info.os_image),
        or_unknown(&info.kernel_version),
        or_unknown(&info.container_runtime_version),
    ]
}

/// `Ready`, `NotReady` or `Unknown`, with `SchedulingDisabled` where it is cordoned.
fn status(node: &Node) -> String {
    let ready = node
        .status
        .conditions
        .iter()
        .find(|condition| condition.r#type == NodeConditionType::Ready);
    let ready = match ready.map(|condition| condition.status) {
        None => "Unknown",
        Some(ConditionStatus::True) => "Ready",
        Some(_) => "NotReady",
    };
    if node.spec.unschedulable {
        format!("{ready},SchedulingDisabled")
    } else {
        ready.to_owned()
    }
}

/// The roles that the node's labels give it.
pub(crate) fn roles(node: &Node) -> String {
    let role = |(key, value): (&String, &String)| match key.strip_prefix("node-role.kubernetes.io/") {
        Some(role) if !role.is_empty() => Some(role.to_owned()),
        _ if key == "kubernetes.io/role" && !value.is_empty() => Some(value.clone()),
        _ => None,
    };
    or_none(
        node.metadata
            .labels
            .iter()
            .filter_map(role)
            .collect::<Vec<_>>()
            .join(","),
    )
}

fn address(node: &Node, wanted: NodeAddressType) -> String {
    let found = node
        .status
        .addresses
        .iter()
        .find(|address| address.r#type == wanted);
    or_none(found.map(|found| found.address.as_str()).unwrap_or_default())
}

fn or_unknown(text: &str) -> String {
    if text.is_empty() {
        "<unknown>".to_owned()
    } else {
        text.to_owned()
    }
}
