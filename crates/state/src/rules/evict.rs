//! A pod's end of somebody's own will: as far as the disruption budgets allow it.

use std::sync::Arc;

use skep_api::{
    Condition, ConditionStatus, Object, Pod, PodDisruptionBudget, PodPhase, Resource, Time,
    UnhealthyPodEvictionPolicy,
};

use super::{Step, delete, invalid};
use crate::{DeleteOptions, Refusal, State};

/// Evictions granted and not yet seen by whoever keeps the budget's status.
const DISRUPTED_PODS_MAX: usize = 2000;

/// The budgets that this is taken from, as they are then, and what becomes of the pod.
pub(crate) fn evict(
    state: &State,
    current: &Arc<Object>,
    options: &DeleteOptions,
    now: Time,
) -> Result<(Vec<Object>, Step), Refusal> {
    let Object::Pod(pod) = &**current else {
        return Err(invalid(current.kind(), &current.key(), "only pods are evicted"));
    };
    let mut budgets = Vec::new();
    if counts(pod) {
        for budget in state.list::<PodDisruptionBudget>(Some(&pod.metadata.namespace)) {
            if budget.selects(&pod.metadata.labels) {
                budgets.extend(taken_from(budget, pod, now)?.map(Object::from));
            }
        }
    }
    let mut pod = pod.clone();
    if !pod.metadata.is_deleting() {
        let condition = Condition {
            last_transition_time: Some(now),
            ..Condition::new(
                "DisruptionTarget",
                ConditionStatus::True,
                "EvictionByEvictionAPI",
                "Eviction API: evicting",
            )
        };
        Condition::set(&mut pod.status.conditions, condition);
    }
    let step = delete(&Arc::new(pod.into()), options, now)?;
    Ok((budgets, step))
}

/// Pods that never ran, have ended or are going anyway are nobody's loss.
fn counts(pod: &Pod) -> bool {
    pod.status.phase != PodPhase::Pending && !pod.is_terminal() && !pod.metadata.is_deleting()
}

/// The budget with one disruption less; `None` where the pod does not count for it.
fn taken_from(
    budget: &PodDisruptionBudget,
    pod: &Pod,
    now: Time,
) -> Result<Option<PodDisruptionBudget>, Refusal> {
    let status = &budget.status;
    let refused = |why: String| Refusal::Disruption {
        pod: pod.key(),
        budget: budget.metadata.name.clone(),
        why,
    };
    if !pod.is_ready() {
        let enough = status.current_healthy >= status.desired_healthy && status.desired_healthy > 0;
        match budget.spec.unhealthy_pod_eviction_policy.unwrap_or_default() {
            UnhealthyPodEvictionPolicy::AlwaysAllow => return Ok(None),
            UnhealthyPodEvictionPolicy::IfHealthyBudget if enough => return Ok(None),
            UnhealthyPodEvictionPolicy::IfHealthyBudget => {}
        }
    }
    if status.observed_generation < budget.metadata.generation {
        return Err(refused("is still being processed by the server".to_owned()));
    }
    if status.disruptions_allowed <= 0 || status.disrupted_pods.len() >= DISRUPTED_PODS_MAX {
        let (needed, have) = (status.desired_healthy, status.current_healthy);
        return Err(refused(format!(
            "needs {needed} healthy pods and has {have} currently"
        )));
    }
    let mut budget = budget.clone();
    budget.status.disruptions_allowed -= 1;
    budget
        .status
        .disrupted_pods
        .insert(pod.metadata.name.clone(), now);
    Ok(Some(budget))
}
