//! Node lifecycle: addresses for its pods, taints from its conditions, and what happens to its pods when it is lost.

mod address;
mod eviction;
mod health;
mod taints;

pub use eviction::is_taken_for_lost;
use skep_api::{Kind, Node, ObjectKey, Pod, Resource, TaintEffect};
use skep_state::{Change, Precondition, State, StateEvent};

use crate::{Context, Controller, EventNote, Reconciled, pods::versions};

pub(crate) use address::Addresses;

const NAME: &str = "node-controller";

/// Looks after each node, and after its pods where its agent cannot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NodeController;

impl Controller for NodeController {
    fn name(&self) -> &'static str {
        NAME
    }

    fn wakes(&self, state: &State, event: &StateEvent) -> Vec<ObjectKey> {
        if let Some((before, after)) = versions::<Pod>(event) {
            let node = after.map(|pod| ObjectKey::cluster(&pod.spec.node_name));
            let node = node.filter(|key| state.get::<Node>(key).is_some_and(drives_pods_out));
            let moved = before.map(|pod| (&pod.spec.node_name, pod.metadata.is_deleting()))
                != after.map(|pod| (&pod.spec.node_name, pod.metadata.is_deleting()));
            return node.filter(|_| moved).into_iter().collect();
        }
        match (event.kind, &event.after) {
            (Kind::Node, Some(_)) => vec![(*event.key).clone()],
            // A block of addresses is free again.
            (Kind::Node, None) => {
                let waiting = state
                    .list::<Node>(None)
                    .filter(|node| node.spec.pod_cidr.is_empty());
                waiting.map(Resource::key).collect()
            }
            _ => Vec::new(),
        }
    }

    fn all(&self, state: &State) -> Vec<ObjectKey> {
        state.list::<Node>(None).map(Resource::key).collect()
    }

    fn reconcile(&self, ctx: &Context<'_>, key: &ObjectKey) -> Reconciled {
        let mut result = Reconciled::default();
        let Some(node) = ctx.state.get::<Node>(key) else {
            return result;
        };
        if node.metadata.is_deleting() {
            return result;
        }
        let mut wanted = node.clone();
        health::check(ctx, &mut wanted, &mut result);
        if wanted.status != node.status {
            // The agent writes the status as well: where it has just reported, this is refused and looked at again.
            result.changes.push(Change {
                only_if: Precondition::of(&wanted.clone().into()),
                ..Change::update_status(wanted)
            });
            return result;
        }
        address::assign(ctx, &mut wanted, &mut result);
        taints::follow_conditions(ctx.now, &mut wanted);
        if drives_pods_out(&wanted) && !drives_pods_out(node) && taints::is_not_ready(&wanted) {
            let message = format!("Node {} status is now: NodeNotReady", key.name);
            result
                .events
                .push(EventNote::normal(node, NAME, "NodeNotReady", message));
        }
        if wanted.spec != node.spec {
            result.changes.push(Change::update(wanted.clone()));
        }
        if health::is_lost(&wanted) {
            eviction::mark_unreachable(ctx, &wanted, &mut result);
        }
        eviction::evict(ctx, &wanted, &mut result);
        result
    }
}

fn drives_pods_out(node: &Node) -> bool {
    node.spec
        .taints
        .iter()
        .any(|taint| taint.effect == TaintEffect::NoExecute)
}
