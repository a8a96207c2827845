//! How one container of a pod is doing, in Kubernetes' words.

use skep_api::{
    Container, ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting,
    ContainerStatus, Time,
};

use super::{
    Desired, Failure, Observed, Role, Run, Work, backoff,
    goal::Goal,
    next::{Next, next},
    plan::Plan,
    start,
};
use crate::runtime::RunState;

/// A container's id as statuses write it.
pub(super) fn container_id(id: &str) -> String {
    format!("docker://{id}")
}

/// The status; `plan` hears when it will change by itself.
pub(super) fn container_status(
    desired: &Desired,
    observed: &Observed,
    container: &Container,
    role: Role,
    goal: Goal,
    now: Time,
    plan: &mut Plan<'_>,
) -> ContainerStatus {
    let devices = observed.devices.as_ref();
    ContainerStatus {
        allocated_resources_status: devices
            .map(|devices| devices.status(&container.name))
            .unwrap_or_default(),
        ..of_runs(desired, observed, container, role, goal, now, plan)
    }
}

fn of_runs(
    desired: &Desired,
    observed: &Observed,
    container: &Container,
    role: Role,
    goal: Goal,
    now: Time,
    plan: &mut Plan<'_>,
) -> ContainerStatus {
    let known = known(observed, &container.name, role);
    let Some(run) = observed.latest(&container.name) else {
        return without_run(desired, observed, container, role, goal, now, known, plan);
    };
    let state = state(desired, observed, container, role, goal, now, run, plan);
    let before = if state.waiting.is_some() && run.is_over() {
        Some(run)
    } else {
        previous(observed, container)
    };
    let last_state = before.map_or_else(|| lasting(known, run), |run| terminated(run, now));
    let up = is_up(observed, container, run, known, state.running.is_some());
    ContainerStatus {
        name: container.name.clone(),
        ready: if role.lasts() {
            up.ready
        } else {
            state.terminated.as_ref().is_some_and(|t| t.exit_code == 0)
        },
        started: Some(up.started),
        state,
        last_state,
        restart_count: i32::try_from(run.attempt).unwrap_or(i32::MAX),
        image: container.image.clone(),
        image_id: run.image_id.clone(),
        container_id: container_id(&run.id),
        ..ContainerStatus::default()
    }
}

/// True for a sidecar that runs, whose hook is over and whose startup probe has passed: those after it may start.
pub(super) fn has_started(observed: &Observed, container: &Container) -> bool {
    let Some(run) = observed.latest(&container.name).filter(|run| run.is_running()) else {
        return false;
    };
    let known = known(observed, &container.name, Role::Sidecar);
    !start::hook_is_pending(observed, container, run) && is_up(observed, container, run, known, true).started
}

struct Up {
    started: bool,
    ready: bool,
}

/// What the probes say; what was reported of this very run counts until they have said something.
fn is_up(
    observed: &Observed,
    container: &Container,
    run: &Run,
    known: Option<&ContainerStatus>,
    running: bool,
) -> Up {
    let probed = observed.probes.get(&run.id);
    let known = known.filter(|status| status.container_id == container_id(&run.id));
    let started = running
        && (container.startup_probe.is_none()
            || probed
                .and_then(|probed| probed.started)
                .unwrap_or_else(|| known.is_some_and(|status| status.started == Some(true))));
    let ready = started
        && (container.readiness_probe.is_none()
            || probed
                .and_then(|probed| probed.ready)
                .unwrap_or_else(|| known.is_some_and(|status| status.ready)));
    Up { started, ready }
}

#[expect(
    clippy::too_many_arguments,
    reason = "the parts of one question, asked in one place"
)]
fn state(
    desired: &Desired,
    observed: &Observed,
    container: &Container,
    role: Role,
    goal: Goal,
    now: Time,
    run: &Run,
    plan: &mut Plan<'_>,
) -> ContainerState {
    match &run.state {
        RunState::Created => waiting(why_waiting(desired, observed, container, role, now, plan)),
        RunState::Running { .. } if role.lasts() && start::hook_is_pending(observed, container, run) => {
            waiting(reason("ContainerCreating", ""))
        }
        RunState::Running { started } => ContainerState {
            running: Some(ContainerStateRunning {
                started_at: Some(started.whole_secs()),
            }),
            ..ContainerState::default()
        },
        RunState::Exited { .. } if goal != Goal::Run => terminated(run, now),
        RunState::Exited {
            started,
            finished,
            message,
            ..
        } => match next(desired, observed, container, role, now) {
            Next::Wait { .. } if started.is_none() && now.since(*finished) < backoff::FRESH => {
                plan.look_at(finished.plus(backoff::FRESH));
                waiting(reason("RunContainerError", message))
            }
            Next::Wait { crashes, .. } => waiting(crash_loop(desired, container, crashes)),
            Next::Start { .. } => match blocked(observed, container, now, plan) {
                Some(why) => waiting(why),
                None => terminated(run, now),
            },
            _ => terminated(run, now),
        },
    }
}

#[expect(
    clippy::too_many_arguments,
    reason = "the parts of one question, asked in one place"
)]
fn without_run(
    desired: &Desired,
    observed: &Observed,
    container: &Container,
    role: Role,
    goal: Goal,
    now: Time,
    known: Option<&ContainerStatus>,
    plan: &mut Plan<'_>,
) -> ContainerStatus {
    let lasts = known.filter(|status| match goal {
        // An init container's run may be removed once the others have started; it ended well then.
        Goal::Run => status.state.terminated.is_some() && !role.lasts() && !is_due(desired, observed, now),
        Goal::Ended(_) | Goal::Gone => status.state.running.is_none(),
    });
    if let Some(status) = lasts {
        return status.clone();
    }
    let why = match goal {
        Goal::Run => why_waiting(desired, observed, container, role, now, plan),
        _ => reason("ContainerCreating", ""),
    };
    ContainerStatus {
        name: container.name.clone(),
        state: waiting(why),
        last_state: known.map(last_of).unwrap_or_default(),
        ready: false,
        restart_count: known.map_or(0, |status| status.restart_count),
        image: container.image.clone(),
        image_id: String::new(),
        container_id: known
            .map(|status| status.container_id.clone())
            .unwrap_or_default(),
        started: Some(false),
        ..ContainerStatus::default()
    }
}

fn is_due(desired: &Desired, observed: &Observed, now: Time) -> bool {
    start::unfinished_init(desired, observed, now).is_some()
}

fn last_of(status: &ContainerStatus) -> ContainerState {
    if status.state.terminated.is_some() {
        status.state.clone()
    } else {
        status.last_state.clone()
    }
}

/// The reported last state, where the run that it tells of is not there any more.
fn lasting(known: Option<&ContainerStatus>, run: &Run) -> ContainerState {
    match known {
        Some(status) if status.container_id == container_id(&run.id) => status.last_state.clone(),
        Some(status) if !status.container_id.is_empty() => last_of(status),
        _ => ContainerState::default(),
    }
}

fn known<'a>(observed: &'a Observed, name: &str, role: Role) -> Option<&'a ContainerStatus> {
    let status = &observed.status;
    let statuses = if role.is_init() {
        &status.init_container_statuses
    } else {
        &status.container_statuses
    };
    statuses.iter().find(|status| status.name == name)
}

fn previous<'a>(observed: &'a Observed, container: &Container) -> Option<&'a Run> {
    let runs = observed.runs.get(&container.name)?;
    runs.len()
        .checked_sub(2)
        .and_then(|index| runs.get(index))
        .filter(|run| run.is_over())
}

fn why_waiting(
    desired: &Desired,
    observed: &Observed,
    container: &Container,
    role: Role,
    now: Time,
    plan: &mut Plan<'_>,
) -> ContainerStateWaiting {
    if let Some(why) = blocked(observed, container, now, plan) {
        return why;
    }
    if role == Role::Main && start::unfinished_init(desired, observed, now).is_some() {
        return reason("PodInitializing", "");
    }
    let of_pod = [Work::Volumes, Work::Address, Work::Devices, Work::Holder];
    let failure = of_pod
        .iter()
        .find_map(|work| observed.failed.get(work))
        .filter(|failure| failure.count > 0);
    reason(
        "ContainerCreating",
        failure.map_or("", |failure| &failure.message),
    )
}

/// Why its next run cannot be started, where something failed.
fn blocked(
    observed: &Observed,
    container: &Container,
    now: Time,
    plan: &mut Plan<'_>,
) -> Option<ContainerStateWaiting> {
    let failed = |work| observed.failed.get(&work).filter(|failure| failure.count > 0);
    if let Some(failure) = failed(Work::Image(container.name.clone())) {
        return Some(image_failure(container, failure, now, plan));
    }
    let failure = failed(Work::Start(container.name.clone()))?;
    Some(reason(failure.reason, &failure.message))
}

fn image_failure(
    container: &Container,
    failure: &Failure,
    now: Time,
    plan: &mut Plan<'_>,
) -> ContainerStateWaiting {
    let told_until = failure.at.plus(backoff::FRESH);
    if failure.reason != "ErrImagePull" || now < told_until {
        plan.look_at(told_until);
        return reason(failure.reason, &failure.message);
    }
    reason(
        "ImagePullBackOff",
        &format!(
            "Back-off pulling image \"{}\": {}",
            container.image, failure.message
        ),
    )
}

fn crash_loop(desired: &Desired, container: &Container, crashes: u32) -> ContainerStateWaiting {
    let meta = &desired.pod.metadata;
    let seconds = backoff::restart(crashes).as_secs();
    let wait = if seconds >= 60 && !seconds.is_multiple_of(60) {
        format!("{}m{}s", seconds / 60, seconds % 60)
    } else if seconds >= 60 {
        format!("{}m0s", seconds / 60)
    } else {
        format!("{seconds}s")
    };
    let message = format!(
        "back-off {wait} restarting failed container={} pod={}_{}({})",
        container.name, meta.name, meta.namespace, meta.uid
    );
    reason("CrashLoopBackOff", &message)
}

fn reason(reason: &str, message: &str) -> ContainerStateWaiting {
    ContainerStateWaiting {
        reason: reason.to_owned(),
        message: message.to_owned(),
    }
}

fn waiting(why: ContainerStateWaiting) -> ContainerState {
    ContainerState {
        waiting: Some(why),
        ..ContainerState::default()
    }
}

/// How a run ended; empty where it has not.
fn terminated(run: &Run, now: Time) -> ContainerState {
    let RunState::Exited {
        code,
        oom_killed,
        message,
        started,
        finished,
    } = &run.state
    else {
        return ContainerState::default();
    };
    let reason = match code {
        _ if *oom_killed => "OOMKilled",
        _ if started.is_none() => "ContainerCannotRun",
        0 => "Completed",
        _ => "Error",
    };
    let words = if run.last_words.is_empty() {
        message
    } else {
        &run.last_words
    };
    let finished = (*finished).min(now);
    ContainerState {
        terminated: Some(Box::new(ContainerStateTerminated {
            exit_code: *code,
            signal: 0,
            reason: reason.to_owned(),
            message: words.clone(),
            started_at: Some(started.unwrap_or(finished).whole_secs()),
            finished_at: Some(finished.whole_secs()),
            container_id: container_id(&run.id),
        })),
        ..ContainerState::default()
    }
}
