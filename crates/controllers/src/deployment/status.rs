//! A deployment's observed state: counts and conditions.

use std::time::Duration;

use skep_api::{Condition, ConditionStatus, Deployment, DeploymentStatus, Time};

use super::{
    bounds::Bounds,
    progress,
    sets::{SetView, Sets},
};
use crate::{Context, Reconciled};

pub(super) const PROGRESSING: &str = "Progressing";
const AVAILABLE: &str = "Available";
const REPLICA_FAILURE: &str = "ReplicaFailure";

/// The status as it is now. Where the deployment rolls, its progress is judged, and looked at again when its deadline passes.
pub(super) fn of(
    ctx: &Context<'_>,
    deployment: &Deployment,
    sets: &Sets<'_>,
    rolls: bool,
    result: &mut Reconciled,
) -> DeploymentStatus {
    let mut status = counted(deployment, sets);
    look_again_when_available(ctx, deployment, sets, result);
    let condition = available(deployment, &status);
    set(&mut status, ctx.now, condition);
    failure(&mut status, ctx.now, sets);
    if rolls {
        progress::judge(ctx, deployment, sets, &mut status, result);
    } else if deployment.spec.paused {
        progress::pause(ctx, deployment, &mut status);
    }
    status
}

/// True where every pod is of the new revision and available, and nothing else is left.
pub(super) fn is_complete(deployment: &Deployment, sets: &Sets<'_>) -> bool {
    let (status, size) = (counted(deployment, sets), deployment.spec.replicas);
    let settled = sets
        .iter()
        .all(|view| view.before.is_some_and(|before| before.spec == view.set.spec));
    settled && complete(&status, size)
}

/// As [`is_complete`], by the counts alone.
pub(super) fn complete(status: &DeploymentStatus, size: i32) -> bool {
    status.updated_replicas == size && status.replicas == size && status.available_replicas == size
}

fn counted(deployment: &Deployment, sets: &Sets<'_>) -> DeploymentStatus {
    let sum = |part: &dyn Fn(&SetView<'_>) -> i32| sets.iter().map(part).sum::<i32>();
    let replicas = sum(&|view| view.counts.active);
    let available_replicas = sum(&|view| view.counts.available);
    let wanted = replicas.max(deployment.spec.replicas);
    DeploymentStatus {
        observed_generation: deployment.metadata.generation,
        replicas,
        updated_replicas: sets.new.as_ref().map_or(0, |new| new.counts.active),
        ready_replicas: sum(&|view| view.counts.ready),
        available_replicas,
        unavailable_replicas: (wanted - available_replicas).max(0),
        conditions: deployment.status.conditions.clone(),
    }
}

fn look_again_when_available(
    ctx: &Context<'_>,
    deployment: &Deployment,
    sets: &Sets<'_>,
    result: &mut Reconciled,
) {
    let min_ready = deployment.spec.min_ready_seconds;
    let pods = sets.iter().filter(|view| view.ripens).flat_map(SetView::pods);
    for time in pods
        .filter_map(|pod| pod.available_at(min_ready))
        .filter(|time| *time > ctx.now)
    {
        result.again_at(ctx.now, time);
    }
}

fn available(deployment: &Deployment, status: &DeploymentStatus) -> Condition {
    if status.available_replicas >= Bounds::of(deployment).available_min(deployment) {
        let message = "Deployment has minimum availability.";
        Condition::new(
            AVAILABLE,
            ConditionStatus::True,
            "MinimumReplicasAvailable",
            message,
        )
    } else {
        let message = "Deployment does not have minimum availability.";
        Condition::new(
            AVAILABLE,
            ConditionStatus::False,
            "MinimumReplicasUnavailable",
            message,
        )
    }
}

/// A replica set that cannot make its pods says so; so does its deployment.
fn failure(status: &mut DeploymentStatus, now: Time, sets: &Sets<'_>) {
    let mut sets = sets.new.iter().chain(&sets.old);
    let failed = sets.find_map(|view| Condition::find(&view.set.status.conditions, REPLICA_FAILURE));
    match failed {
        Some(failed) => {
            let condition = Condition::new(REPLICA_FAILURE, failed.status, &failed.reason, &failed.message);
            set(status, now, condition);
        }
        None => status
            .conditions
            .retain(|condition| condition.r#type != REPLICA_FAILURE),
    }
}

/// Sets a condition; where it says what it said, its times stay as they are.
pub(super) fn set(status: &mut DeploymentStatus, now: Time, condition: Condition) {
    let same = Condition::find(&status.conditions, &condition.r#type).is_some_and(|old| {
        (old.status, &old.reason, &old.message) == (condition.status, &condition.reason, &condition.message)
    });
    if !same {
        touch(status, now, condition);
    }
}

/// Sets a condition and notes the time even where it says what it said.
pub(super) fn touch(status: &mut DeploymentStatus, now: Time, condition: Condition) {
    let condition = Condition {
        last_update_time: Some(now),
        last_transition_time: Some(now),
        ..condition
    };
    Condition::set(&mut status.conditions, condition);
}

/// Seconds of a spec as a duration; nothing where they are negative.
pub(super) fn seconds(secs: i32) -> Duration {
    Duration::from_secs(u64::try_from(secs).unwrap_or(0))
}
