//! Why a rollout is not finished.

use std::{collections::BTreeMap, time::Duration};

use skep_api::{Condition, ConditionStatus, Deployment, Pod, ReplicaSet, Time};
use skep_state::State;

use super::pod;
use crate::render::{age::human_duration, describe::lookup};

/// Different reasons that are listed at most.
const REASONS_MAX: usize = 5;

/// What the deployment's rollout is waiting for; nothing where it is finished.
pub(crate) fn deployment(state: &State, deployment: &Deployment, now: Time) -> Vec<String> {
    let (meta, spec, status) = (&deployment.metadata, &deployment.spec, &deployment.status);
    if meta.is_deleting() {
        return vec!["its replica sets and pods to go".to_owned()];
    }
    if status.observed_generation < meta.generation {
        return vec!["the deployment controller to take up the newest change".to_owned()];
    }
    let (desired, updated, available) = (spec.replicas, status.updated_replicas, status.available_replicas);
    if updated == desired && status.replicas == updated && available >= desired {
        return Vec::new();
    }
    let mut waits = Vec::new();
    if spec.paused && updated < desired {
        waits.push(format!(
            "the rollout to be resumed: `skep rollout resume deployment/{}`",
            meta.name
        ));
    }
    waits.extend(failures(&status.conditions));
    let new = lookup::replica_sets(state, deployment).0;
    waits.extend(new.map(|new| pods(state, new, now)).unwrap_or_default());
    if updated < desired && !spec.paused {
        let missing = desired - updated;
        waits.push(format!(
            "{} to be created, as maxSurge and maxUnavailable allow",
            counted(missing, "new pod")
        ));
    }
    if status.replicas > updated {
        waits.push(format!(
            "{} to end",
            counted(status.replicas - updated, "old pod")
        ));
    }
    waits
}

/// What the replica set is waiting for; nothing where all its pods are available.
pub(crate) fn replica_set(state: &State, replica_set: &ReplicaSet, now: Time) -> Vec<String> {
    let (spec, status) = (&replica_set.spec, &replica_set.status);
    let mut waits = failures(&status.conditions);
    waits.extend(pods(state, replica_set, now));
    match spec.replicas - status.replicas {
        0 => {}
        missing @ 1.. => waits.push(format!("{} to be created", counted(missing, "pod"))),
        excess => waits.push(format!("{} to end", counted(-excess, "pod"))),
    }
    waits
}

/// What conditions say went wrong.
fn failures(conditions: &[Condition]) -> Vec<String> {
    let is = |name, status| Condition::find(conditions, name).filter(|condition| condition.status == status);
    let stuck = is("Progressing", ConditionStatus::False).map(|condition| {
        format!(
            "somebody to look into it, as there is no progress: {}",
            condition.message
        )
    });
    let failed = is("ReplicaFailure", ConditionStatus::True)
        .map(|condition| format!("pods that cannot be created: {}", condition.message));
    stuck.into_iter().chain(failed).collect()
}

/// What the replica set's pods are waiting for; pods with the same trouble share a line.
fn pods(state: &State, replica_set: &ReplicaSet, now: Time) -> Vec<String> {
    let mut troubles: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for pod in lookup::dependents::<Pod>(state, &replica_set.metadata) {
        if pod.metadata.is_deleting() || pod.is_terminal() {
            continue;
        }
        for wait in waits(state, pod, replica_set.spec.min_ready_seconds, now) {
            troubles.entry(wait).or_default().push(&pod.metadata.name);
        }
    }
    let left_out = troubles.len().saturating_sub(REASONS_MAX);
    let shown = troubles
        .into_iter()
        .take(REASONS_MAX)
        .map(|(trouble, names)| match names.as_slice() {
            [name] => format!("pod {name}, which waits for {trouble}"),
            names => format!(
                "{} pods such as {}, which wait for {trouble}",
                names.len(),
                names[0]
            ),
        });
    let more = (left_out > 0).then(|| format!("pods with {} more", counted(count(left_out), "reason")));
    shown.chain(more).collect()
}

fn waits(state: &State, pod: &Pod, min_ready_seconds: i32, now: Time) -> Vec<String> {
    match pod.available_at(min_ready_seconds) {
        Some(at) if at > now => {
            let left = human_duration(at.since(now).max(Duration::from_secs(1)));
            vec![format!(
                "minReadySeconds ({min_ready_seconds}s) to pass: {left} to go"
            )]
        }
        _ => pod::waits(state, pod, now),
    }
}

fn count(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// `1 new pod`, `3 new pods`.
fn counted(number: i32, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
