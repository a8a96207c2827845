//! A node that is not heard of for too long: nobody can tell how it is doing.

use skep_api::{ConditionStatus, Kind, Node, NodeCondition, NodeConditionType};

use crate::{Context, Reconciled};

const UNKNOWN: &str = "NodeStatusUnknown";

const CONDITIONS: [NodeConditionType; 4] = [
    NodeConditionType::Ready,
    NodeConditionType::MemoryPressure,
    NodeConditionType::DiskPressure,
    NodeConditionType::PIDPressure,
];

/// True where the node was found to be silent.
pub(super) fn is_lost(node: &Node) -> bool {
    let ready = NodeCondition::find(&node.status.conditions, NodeConditionType::Ready);
    ready.is_some_and(|ready| ready.status == ConditionStatus::Unknown)
}

/// Sets the conditions of a silent node to Unknown; for others, asks to be called again when the lease runs out.
///
/// A node without lease is given time from its creation on.
pub(super) fn check(ctx: &Context<'_>, node: &mut Node, result: &mut Reconciled) {
    let lease = ctx.leases.get(&node.metadata.name).map(|lease| lease.renewed);
    let heard = lease.or(node.metadata.creation_timestamp).unwrap_or_default();
    let lost = heard.plus(ctx.settings.lease(ctx.state.count(Kind::Node)));
    if ctx.now < lost {
        return result.again_at(ctx.now, lost);
    }
    if is_lost(node) {
        return;
    }
    for r#type in CONDITIONS {
        let old = NodeCondition::find(&node.status.conditions, r#type);
        let condition = NodeCondition {
            r#type,
            status: ConditionStatus::Unknown,
            last_heartbeat_time: old.and_then(|old| old.last_heartbeat_time),
            last_transition_time: Some(ctx.now),
            reason: UNKNOWN.to_owned(),
            message: "The node's agent has stopped reporting.".to_owned(),
        };
        NodeCondition::set(&mut node.status.conditions, condition);
    }
}
