//! Pods that have to leave a node, and pods of a node that is lost.

use std::time::Duration;

use skep_api::{Condition, ConditionStatus, Kind, Node, Pod, Resource, Taint, TaintEffect, Time};
use skep_state::{Change, DeleteOptions, Precondition};

use super::{
    NAME,
    taints::{NOT_READY, UNREACHABLE},
};
use crate::{Context, EventNote, Reconciled};

/// The reason of a pod that is not ready because its node is lost.
const NODE_NOT_READY: &str = "NodeNotReady";

/// The reason of a pod that is to go and cannot be seen off because its node is lost.
const NODE_LOST: &str = "NodeLost";

/// Deletes the pods that a `NoExecute` taint drives out now, and asks to be called again when the next one's time is up.
pub(super) fn evict(ctx: &Context<'_>, node: &Node, result: &mut Reconciled) {
    let taints: Vec<&Taint> = node
        .spec
        .taints
        .iter()
        .filter(|taint| taint.effect == TaintEffect::NoExecute)
        .collect();
    if taints.is_empty() {
        return;
    }
    for pod in ctx.state.pods_on(&node.metadata.name) {
        if pod.is_terminal() || pod.metadata.is_deleting() {
            continue;
        }
        let deadlines = taints.iter().filter_map(|taint| leaves_at(ctx, pod, taint));
        let Some(deadline) = deadlines.min() else { continue };
        if ctx.now < deadline {
            result.again_at(ctx.now, deadline);
        } else if let Some(object) = ctx.state.object(Kind::Pod, &pod.key()) {
            let message = format!("Marking for deletion Pod {}", pod.key());
            result
                .events
                .push(EventNote::normal(pod, NAME, "TaintManagerEviction", message));
            result
                .changes
                .push(Change::delete(object, DeleteOptions::default()));
        }
    }
}

/// When the pod has to leave because of the taint; never where `None`. Every pod tolerates for a while that its node is not
/// ready or lost, or for ever, as the cluster is set up.
fn leaves_at(ctx: &Context<'_>, pod: &Pod, taint: &Taint) -> Option<Time> {
    let added = taint.time_added.unwrap_or(ctx.now);
    let toleration = pod
        .spec
        .tolerations
        .iter()
        .find(|toleration| toleration.tolerates(taint));
    let patience = match toleration {
        Some(toleration) => Duration::from_secs(u64::try_from(toleration.toleration_seconds?).unwrap_or(0)),
        None if taint.key == NOT_READY || taint.key == UNREACHABLE => ctx.settings.default_toleration?,
        None => Duration::ZERO,
    };
    Some(added.plus(patience))
}

/// Whether the pod was said to be unwell because its node was lost. It stays so until its agent says otherwise.
pub fn is_taken_for_lost(pod: &Pod) -> bool {
    let ready = Condition::find(&pod.status.conditions, "Ready");
    pod.status.reason == NODE_LOST || ready.is_some_and(|ready| ready.reason == NODE_NOT_READY)
}

/// Pods of a lost node are not ready, as far as anybody can tell; those that are to go cannot be seen off.
pub(super) fn mark_unreachable(ctx: &Context<'_>, node: &Node, result: &mut Reconciled) {
    for pod in ctx
        .state
        .pods_on(&node.metadata.name)
        .filter(|pod| !pod.is_terminal())
    {
        let mut wanted = pod.clone();
        let was_ready = pod.is_ready();
        if was_ready {
            let message = format!("Node {} has stopped reporting", node.metadata.name);
            let condition = Condition {
                last_transition_time: Some(ctx.now),
                ..Condition::new("Ready", ConditionStatus::False, NODE_NOT_READY, message)
            };
            Condition::set(&mut wanted.status.conditions, condition);
            result
                .events
                .push(EventNote::warning(pod, NAME, NODE_NOT_READY, "Node is not ready"));
        }
        if pod.metadata.is_deleting() {
            NODE_LOST.clone_into(&mut wanted.status.reason);
            let (node, name) = (&node.metadata.name, &pod.metadata.name);
            wanted.status.message = format!("Node {node} which was running pod {name} is unresponsive");
        }
        if wanted.status != pod.status {
            let only_if = Precondition::of(&wanted.clone().into());
            result.changes.push(Change {
                only_if,
                ..Change::update_status(wanted)
            });
        }
    }
}
