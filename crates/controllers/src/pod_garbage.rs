//! Pod garbage: pods of nodes that are gone, and ended pods beyond a number.

use std::time::Duration;

use skep_api::{Kind, Node, ObjectKey, Pod, PodPhase, Resource};
use skep_state::{Change, DeleteOptions, State, StateEvent};

use crate::{Context, Controller, EventNote, Reconciled};

const NAME: &str = "pod-garbage-collector";

/// How often ended pods are counted.
const SWEEP: Duration = Duration::from_secs(20);

/// How many pods are removed in one pass; the rest follows in the next.
const PODS_PER_PASS_MAX: usize = 500;

/// Removes pods that nobody will remove otherwise. Its keys are pods, and the empty key for a sweep over the ended ones.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PodGarbageCollector;

impl Controller for PodGarbageCollector {
    fn name(&self) -> &'static str {
        NAME
    }

    fn wakes(&self, state: &State, event: &StateEvent) -> Vec<ObjectKey> {
        match (event.kind, event.after.as_deref()) {
            (Kind::Node, None) => state.pods_on(&event.key.name).map(Resource::key).collect(),
            (Kind::Pod, Some(object)) => {
                let pod = Pod::from_object(object).filter(|pod| is_abandoned(state, pod));
                pod.map(Resource::key).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    fn all(&self, state: &State) -> Vec<ObjectKey> {
        let abandoned = state.list::<Pod>(None).filter(|pod| is_abandoned(state, pod));
        abandoned
            .map(Resource::key)
            .chain([ObjectKey::default()])
            .collect()
    }

    fn reconcile(&self, ctx: &Context<'_>, key: &ObjectKey) -> Reconciled {
        let mut result = Reconciled::default();
        if *key == ObjectKey::default() {
            sweep(ctx, &mut result);
        } else if let Some(pod) = ctx
            .state
            .get::<Pod>(key)
            .filter(|pod| is_abandoned(ctx.state, pod))
        {
            if !pod.spec.node_name.is_empty() {
                let message = format!("Node {} is gone: the pod is removed", pod.spec.node_name);
                result
                    .events
                    .push(EventNote::warning(pod, NAME, "NodeGone", message));
            }
            remove(ctx.state, pod, &mut result);
        }
        result
    }
}

/// True for a pod whose node is gone, or that is to go and never had one: no agent will see it off.
fn is_abandoned(state: &State, pod: &Pod) -> bool {
    let removable = !pod.metadata.is_deleting() || pod.metadata.deletion_grace_period_seconds != Some(0);
    removable
        && match pod.spec.node_name.as_str() {
            "" => pod.metadata.is_deleting(),
            node => state.get::<Node>(&ObjectKey::cluster(node)).is_none(),
        }
}

fn remove(state: &State, pod: &Pod, result: &mut Reconciled) {
    if let Some(object) = state.object(Kind::Pod, &pod.key()) {
        let options = DeleteOptions {
            grace_seconds: Some(0),
            ..DeleteOptions::default()
        };
        result.changes.push(Change::delete(object, options));
    }
}

/// Removes ended pods beyond the number that is kept, the oldest first, evicted ones before others.
fn sweep(ctx: &Context<'_>, result: &mut Reconciled) {
    let mut ended: Vec<&Pod> = ctx
        .state
        .list::<Pod>(None)
        .filter(|pod| pod.is_terminal() && !pod.metadata.is_deleting())
        .collect();
    let surplus = ended.len().saturating_sub(ctx.settings.terminated_pods_max);
    ended.sort_by_key(|pod| {
        let evicted = pod.status.phase == PodPhase::Failed && pod.status.reason == "Evicted";
        (!evicted, pod.metadata.creation_timestamp, pod.key())
    });
    for pod in ended.into_iter().take(surplus.min(PODS_PER_PASS_MAX)) {
        remove(ctx.state, pod, result);
    }
    result.again_in = Some(if surplus > PODS_PER_PASS_MAX {
        Duration::ZERO
    } else {
        SWEEP
    });
}
