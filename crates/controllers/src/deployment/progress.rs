//! Whether a rollout gets on, and what it waits for where it does not.

use skep_api::{Condition, ConditionStatus, ContainerStatus, Deployment, DeploymentStatus, Pod, PodPhase};

use super::{
    revision,
    sets::{SetView, Sets},
    status::{PROGRESSING, complete, seconds, set, touch},
};
use crate::{Context, Reconciled, pods::is_active};

const COMPLETE: &str = "NewReplicaSetAvailable";
const TIMED_OUT: &str = "ProgressDeadlineExceeded";
const PAUSED: &str = "DeploymentPaused";

/// Pods that a message names at most, and the longest reason it quotes of each, in characters.
const PODS_TOLD_MAX: usize = 3;
const REASON_CHARS_MAX: usize = 160;

/// Judges the rollout's progress, and asks to be called again when its deadline passes.
pub(super) fn judge(
    ctx: &Context<'_>,
    deployment: &Deployment,
    sets: &Sets<'_>,
    status: &mut DeploymentStatus,
    result: &mut Reconciled,
) {
    if deployment.spec.progress_deadline_seconds == i32::MAX {
        status
            .conditions
            .retain(|condition| condition.r#type != PROGRESSING);
        return;
    }
    let name = sets
        .new
        .as_ref()
        .map_or(&deployment.metadata.name, |new| &new.set.metadata.name);
    let progressing =
        |reason: &str, message: String| Condition::new(PROGRESSING, ConditionStatus::True, reason, message);
    begin(ctx, deployment, sets, status);
    let current = Condition::find(&status.conditions, PROGRESSING).cloned();
    let was_complete = current
        .as_ref()
        .is_some_and(|condition| condition.reason == COMPLETE);
    if was_complete && status.replicas == status.updated_replicas {
        return;
    }
    if complete(status, deployment.spec.replicas) {
        let message = format!("ReplicaSet \"{name}\" has successfully progressed.");
        return set(status, ctx.now, progressing(COMPLETE, message));
    }
    if has_progressed(&deployment.status, status) {
        let message = format!("ReplicaSet \"{name}\" is progressing.");
        touch(status, ctx.now, progressing("ReplicaSetUpdated", message));
    }
    watch_deadline(ctx, deployment, sets, status, result);
}

/// Notes that the rollout stands still because somebody wants it to.
pub(super) fn pause(ctx: &Context<'_>, deployment: &Deployment, status: &mut DeploymentStatus) {
    let timed_out = Condition::find(&status.conditions, PROGRESSING).is_some_and(|c| c.reason == TIMED_OUT);
    if deployment.spec.progress_deadline_seconds != i32::MAX && !timed_out {
        let condition = Condition::new(
            PROGRESSING,
            ConditionStatus::Unknown,
            PAUSED,
            "Deployment is paused",
        );
        set(status, ctx.now, condition);
    }
}

/// Starts the clock: a new replica set, one found again, or the end of a pause.
fn begin(ctx: &Context<'_>, deployment: &Deployment, sets: &Sets<'_>, status: &mut DeploymentStatus) {
    let current = Condition::find(&status.conditions, PROGRESSING);
    let paused = current.is_some_and(|condition| condition.reason == PAUSED);
    let unknown = current.is_none();
    let Some(new) = &sets.new else { return };
    let name = &new.set.metadata.name;
    let progressing =
        |status, reason: &str, message: String| Condition::new(PROGRESSING, status, reason, message);
    let reused = new
        .before
        .is_some_and(|before| revision::number(before) < revision::number(&new.set));
    if new.before.is_none() {
        let message = format!("Created new replica set \"{name}\"");
        touch(
            status,
            ctx.now,
            progressing(ConditionStatus::True, "NewReplicaSetCreated", message),
        );
    } else if reused || (unknown && !complete(status, deployment.spec.replicas)) {
        let message = format!("Found new replica set \"{name}\"");
        touch(
            status,
            ctx.now,
            progressing(ConditionStatus::True, "FoundNewReplicaSet", message),
        );
    } else if paused {
        let message = "Deployment is resumed".to_owned();
        touch(
            status,
            ctx.now,
            progressing(ConditionStatus::Unknown, "DeploymentResumed", message),
        );
    }
}

/// More new pods, fewer old ones, or more that are ready or available.
fn has_progressed(before: &DeploymentStatus, now: &DeploymentStatus) -> bool {
    let old = |status: &DeploymentStatus| status.replicas - status.updated_replicas;
    now.updated_replicas > before.updated_replicas
        || old(now) < old(before)
        || now.ready_replicas > before.ready_replicas
        || now.available_replicas > before.available_replicas
}

fn watch_deadline(
    ctx: &Context<'_>,
    deployment: &Deployment,
    sets: &Sets<'_>,
    status: &mut DeploymentStatus,
    result: &mut Reconciled,
) {
    let Some(current) = Condition::find(&status.conditions, PROGRESSING) else {
        return;
    };
    if current.reason == COMPLETE || current.reason == TIMED_OUT {
        return;
    }
    let Some(since) = current.last_update_time else {
        return;
    };
    let deadline = since.plus(seconds(deployment.spec.progress_deadline_seconds));
    if ctx.now < deadline {
        return result.again_at(ctx.now, deadline);
    }
    let message = stuck(deployment, sets);
    touch(
        status,
        ctx.now,
        Condition::new(PROGRESSING, ConditionStatus::False, TIMED_OUT, message),
    );
}

/// What the rollout waits for.
fn stuck(deployment: &Deployment, sets: &Sets<'_>) -> String {
    let Some(new) = &sets.new else {
        let old: usize = sets.old.iter().map(|view| view.pods_all().all).sum();
        let name = &deployment.metadata.name;
        return format!("Deployment \"{name}\" has timed out progressing: {old} old pods have not ended yet");
    };
    let name = &new.set.metadata.name;
    format!(
        "ReplicaSet \"{name}\" has timed out progressing: {}",
        awaited(deployment, new)
    )
}

fn awaited(deployment: &Deployment, new: &SetView<'_>) -> String {
    let mut waiting: Vec<&Pod> = new
        .pods()
        .filter(|pod| is_active(pod) && !pod.is_ready())
        .collect();
    waiting.sort_by_key(|pod| &pod.metadata.name);
    if waiting.is_empty() {
        let (have, size) = (new.counts.available, deployment.spec.replicas);
        return format!("{have} of {size} new pods are available");
    }
    let told = waiting.iter().take(PODS_TOLD_MAX);
    let told: Vec<String> = told
        .map(|pod| format!("{}: {}", pod.metadata.name, problem(pod)))
        .collect();
    let more = if waiting.len() > PODS_TOLD_MAX {
        "; …"
    } else {
        ""
    };
    let all = new.counts.active;
    format!(
        "{} of {all} new pods are not ready: {}{more}",
        waiting.len(),
        told.join("; ")
    )
}

/// What a pod waits for, in a few words.
fn problem(pod: &Pod) -> String {
    let scheduled = Condition::find(&pod.status.conditions, "PodScheduled");
    if pod.spec.node_name.is_empty() {
        return match scheduled.filter(|condition| !condition.message.is_empty()) {
            Some(condition) => format!("not placed on a node: {}", cut(&condition.message)),
            None => "not placed on a node".to_owned(),
        };
    }
    let containers = pod
        .status
        .init_container_statuses
        .iter()
        .chain(&pod.status.container_statuses);
    let unready = containers
        .filter(|container| !container.ready)
        .find_map(container_problem);
    unready.unwrap_or_else(|| match pod.status.phase {
        PodPhase::Pending => format!("node {} has not started it", pod.spec.node_name),
        _ => "its containers run but are not ready".to_owned(),
    })
}

fn container_problem(container: &ContainerStatus) -> Option<String> {
    let name = &container.name;
    let last = container.last_state.terminated.as_ref();
    let last = last
        .map(|ended| format!(", last exit code {}", ended.exit_code))
        .unwrap_or_default();
    if let Some(waiting) = &container.state.waiting {
        let message = if waiting.message.is_empty() {
            String::new()
        } else {
            format!(": {}", cut(&waiting.message))
        };
        return Some(format!(
            "container {name} waits, {}{message}{last}",
            waiting.reason
        ));
    }
    if let Some(ended) = container
        .state
        .terminated
        .as_ref()
        .filter(|ended| ended.exit_code != 0)
    {
        return Some(format!(
            "container {name} ended, {} (exit code {})",
            ended.reason, ended.exit_code
        ));
    }
    container
        .state
        .running
        .as_ref()
        .map(|_| format!("container {name} runs but is not ready{last}"))
}

fn cut(text: &str) -> &str {
    text.char_indices()
        .nth(REASON_CHARS_MAX)
        .map_or(text, |(end, _)| &text[..end])
}
