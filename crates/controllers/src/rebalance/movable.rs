//! Which pods may be moved, and what stands against the others.

use std::time::Duration;

use skep_api::{
    Deployment, DeploymentStrategyType, Pod, PodDisruptionBudget, ReplicaSet, Resource, Time, Volume,
    duration, well_known,
};
use skep_state::State;

use crate::{
    pods::{dependents, is_active, is_replaced},
    replacement::replaceable,
};

/// How long a pod must have been ready before it is moved.
const SETTLED: Duration = Duration::from_secs(60);

/// The replica set of a pod that may be moved.
///
/// # Errors
/// What stands against that, in words.
pub(super) fn check<'a>(state: &'a State, pod: &Pod, now: Time) -> Result<&'a ReplicaSet, String> {
    let annotations = &pod.metadata.annotations;
    if annotations
        .get(well_known::REBALANCE)
        .is_some_and(|says| says == "false")
    {
        return Err(format!(
            "it is not to be moved (annotation {})",
            well_known::REBALANCE
        ));
    }
    let Some(owner) = pod.metadata.controller() else {
        return Err("nobody makes it again".to_owned());
    };
    if owner.kind != "ReplicaSet" {
        return Err(format!("no {} starts a replacement first", owner.kind));
    }
    pod.spec
        .volumes
        .iter()
        .try_for_each(|volume| stays(pod, volume))?;
    let after = annotations.get(well_known::REBALANCE_AFTER);
    if let Some(after) = after
        .and_then(|after| after.parse::<Time>().ok())
        .filter(|after| *after > now)
    {
        let left = duration::human(after.since(now));
        return Err(format!("moving it came to nothing: it is tried again in {left}"));
    }
    if is_replaced(pod, now) {
        return Err("it is being replaced already".to_owned());
    }
    let ready_at = pod.available_at(0).filter(|_| pod.is_ready());
    let Some(ready_at) = ready_at.filter(|_| is_active(pod)) else {
        return Err("it is not ready".to_owned());
    };
    if now.since(ready_at) < SETTLED {
        return Err(format!(
            "it has been ready for less than {}",
            duration::human(SETTLED)
        ));
    }
    let set = replaceable(state, pod).ok_or("its replica set is gone, or is to have no pods")?;
    at_rest(state, set, now)?;
    within_budget(state, pod)?;
    Ok(set)
}

/// What a volume has on its node, and nowhere else; what can be read again on any node is no hindrance.
fn stays(pod: &Pod, volume: &Volume) -> Result<(), String> {
    let Volume {
        name,
        config_map,
        secret,
        empty_dir,
        host_path: _,
        projected,
        downward_api,
    } = volume;
    if config_map.is_some() || secret.is_some() || projected.is_some() || downward_api.is_some() {
        return Ok(());
    }
    if empty_dir.is_none() {
        return Err(format!("the data of its volume {name} is on its node (hostPath)"));
    }
    let says = pod.metadata.annotations.get(well_known::REBALANCE);
    if says.is_some_and(|says| says == "true") {
        return Ok(());
    }
    Err(format!(
        "the data of its volume {name} would be lost (emptyDir; annotation {}: \"true\" on the pod allows that)",
        well_known::REBALANCE
    ))
}

/// Workloads that are rolled out, scaled or ill are left alone.
fn at_rest(state: &State, set: &ReplicaSet, now: Time) -> Result<(), String> {
    let (spec, status) = (&set.spec, &set.status);
    let seen = status.observed_generation >= set.metadata.generation;
    if !seen || status.replicas != spec.replicas || status.available_replicas != spec.replicas {
        return Err(format!(
            "replica set {} is not at rest: {} of {} pods are available",
            set.metadata.name, status.available_replicas, spec.replicas
        ));
    }
    if dependents::<Pod>(state, &set.metadata.uid).any(|pod| is_replaced(pod, now) || !is_active(pod)) {
        return Err(format!(
            "another pod of replica set {} is being replaced",
            set.metadata.name
        ));
    }
    let owner = set
        .metadata
        .controller()
        .and_then(|owner| state.by_uid(&owner.uid));
    let Some(deployment) = owner.and_then(|owner| Deployment::from_object(owner)) else {
        return Ok(());
    };
    let (name, size, status) = (
        &deployment.metadata.name,
        deployment.spec.replicas,
        &deployment.status,
    );
    if deployment.spec.strategy.r#type == DeploymentStrategyType::Recreate {
        return Err(format!(
            "deployment {name} never runs one pod more than it is to have (Recreate)"
        ));
    }
    let seen = status.observed_generation >= deployment.metadata.generation;
    let counts = [
        status.replicas,
        status.updated_replicas,
        status.available_replicas,
    ];
    if seen && counts == [size; 3] {
        return Ok(());
    }
    Err(format!(
        "deployment {name} is not at rest: {} of {size} pods are up to date, {} available",
        status.updated_replicas, status.available_replicas
    ))
}

/// Whether the budgets will let the pod go once there is one pod more.
fn within_budget(state: &State, pod: &Pod) -> Result<(), String> {
    let budgets = state.list::<PodDisruptionBudget>(Some(&pod.metadata.namespace));
    for budget in budgets.filter(|budget| budget.selects(&pod.metadata.labels)) {
        let status = &budget.status;
        if status.observed_generation < budget.metadata.generation
            || status.current_healthy < status.desired_healthy
        {
            return Err(format!(
                "disruption budget {} needs {} healthy pods and has {}",
                budget.metadata.name, status.desired_healthy, status.current_healthy
            ));
        }
    }
    Ok(())
}
