//! Taints that follow a node's conditions.

use skep_api::{ConditionStatus, Node, NodeCondition, NodeConditionType, Taint, TaintEffect, Time};

pub(super) const NOT_READY: &str = "node.kubernetes.io/not-ready";
pub(super) const UNREACHABLE: &str = "node.kubernetes.io/unreachable";
const MEMORY_PRESSURE: &str = "node.kubernetes.io/memory-pressure";
const DISK_PRESSURE: &str = "node.kubernetes.io/disk-pressure";
const PID_PRESSURE: &str = "node.kubernetes.io/pid-pressure";
const NETWORK_UNAVAILABLE: &str = "node.kubernetes.io/network-unavailable";
const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";

const MANAGED: [&str; 7] = [
    NOT_READY,
    UNREACHABLE,
    MEMORY_PRESSURE,
    DISK_PRESSURE,
    PID_PRESSURE,
    NETWORK_UNAVAILABLE,
    UNSCHEDULABLE,
];

/// True for a node that does not say that it is ready.
pub(super) fn is_not_ready(node: &Node) -> bool {
    !NodeCondition::is_true(&node.status.conditions, NodeConditionType::Ready)
}

/// True for a node that is known to have no network for pods.
pub(super) fn is_without_network(node: &Node) -> bool {
    node.spec
        .taints
        .iter()
        .any(|taint| taint.key == NETWORK_UNAVAILABLE)
}

/// Adds the taints that the conditions ask for and removes those they do not; taints of others stay as they are, and those
/// that drive pods out say since when.
pub(super) fn follow_conditions(now: Time, node: &mut Node) {
    let wanted = wanted(node);
    let old = std::mem::take(&mut node.spec.taints);
    let (managed, mut taints): (Vec<Taint>, Vec<Taint>) = old
        .into_iter()
        .partition(|taint| MANAGED.contains(&taint.key.as_str()));
    for (key, effect) in wanted {
        let same = managed
            .iter()
            .find(|taint| taint.key == key && taint.effect == effect);
        taints.push(same.cloned().unwrap_or_else(|| Taint {
            key: key.to_owned(),
            value: String::new(),
            effect,
            time_added: Some(now),
        }));
    }
    // How long a pod tolerates a taint counts from here on where nobody has said when it was added.
    for taint in taints
        .iter_mut()
        .filter(|taint| taint.effect == TaintEffect::NoExecute)
    {
        taint.time_added.get_or_insert(now);
    }
    node.spec.taints = taints;
}

fn wanted(node: &Node) -> Vec<(&'static str, TaintEffect)> {
    use TaintEffect::{NoExecute, NoSchedule};
    let conditions = &node.status.conditions;
    let ready = NodeCondition::find(conditions, NodeConditionType::Ready).map(|condition| condition.status);
    let mut taints = match ready {
        Some(ConditionStatus::True) => Vec::new(),
        Some(ConditionStatus::Unknown) => vec![(UNREACHABLE, NoSchedule), (UNREACHABLE, NoExecute)],
        Some(ConditionStatus::False) => vec![(NOT_READY, NoSchedule), (NOT_READY, NoExecute)],
        None => vec![(NOT_READY, NoSchedule)],
    };
    let pressures = [
        (NodeConditionType::MemoryPressure, MEMORY_PRESSURE),
        (NodeConditionType::DiskPressure, DISK_PRESSURE),
        (NodeConditionType::PIDPressure, PID_PRESSURE),
        (NodeConditionType::NetworkUnavailable, NETWORK_UNAVAILABLE),
    ];
    let holding = pressures
        .into_iter()
        .filter(|(r#type, _)| NodeCondition::is_true(conditions, *r#type));
    taints.extend(holding.map(|(_, key)| (key, NoSchedule)));
    if node.spec.pod_cidr.is_empty() && !taints.contains(&(NETWORK_UNAVAILABLE, NoSchedule)) {
        taints.push((NETWORK_UNAVAILABLE, NoSchedule));
    }
    if node.spec.unschedulable {
        taints.push((UNSCHEDULABLE, NoSchedule));
    }
    taints
}
