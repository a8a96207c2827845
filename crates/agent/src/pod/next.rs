//! What comes next for one container of a pod that is to run.

use skep_api::{Container, RestartPolicy, Time};

use super::{Desired, Observed, Role, Run, backoff};
use crate::runtime::RunState;

/// What comes next for a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next<'a> {
    /// Start it.
    Start {
        /// Which run.
        attempt: u32,
        /// Ends in a row so far.
        crashes: u32,
    },
    /// Start it at that time.
    Wait {
        /// When.
        until: Time,
        /// Ends in a row so far.
        crashes: u32,
    },
    /// It is made; start it.
    Resume(&'a Run),
    /// It runs.
    Running(&'a Run),
    /// It has ended and stays so.
    Over {
        /// With exit code 0.
        well: bool,
    },
}

/// What comes next for a container. An init container that ended well stays so under every policy.
pub(super) fn next<'a>(
    desired: &Desired,
    observed: &'a Observed,
    container: &Container,
    role: Role,
    now: Time,
) -> Next<'a> {
    let Some(run) = observed.latest(&container.name) else {
        return Next::Start {
            attempt: first_attempt(observed, container, role),
            crashes: 0,
        };
    };
    let RunState::Exited {
        code,
        started,
        finished,
        ..
    } = &run.state
    else {
        return if run.is_running() {
            Next::Running(run)
        } else {
            Next::Resume(run)
        };
    };
    let well = *code == 0 && started.is_some();
    let attempt = run.attempt + 1;
    if !(role == Role::Init && well) && is_changed(desired, run, container) {
        return Next::Start { attempt, crashes: 0 };
    }
    if !is_restarted(desired.pod.spec.restart_policy, role, well) {
        return Next::Over { well };
    }
    let lasted = started.map_or(std::time::Duration::ZERO, |started| finished.since(started));
    let crashes = if lasted >= backoff::FORGIVEN_AFTER {
        0
    } else {
        run.crashes.saturating_add(1)
    };
    let until = backoff::until(*finished, backoff::restart(crashes), now);
    if until <= now {
        Next::Start { attempt, crashes }
    } else {
        Next::Wait { until, crashes }
    }
}

/// True where the container's definition is not the one that the run was made from.
pub(super) fn is_changed(desired: &Desired, run: &Run, container: &Container) -> bool {
    let hash = desired.hash(&container.name);
    !hash.is_empty() && !run.hash.is_empty() && hash != run.hash
}

/// Where the engine knows of no run although one was reported, the count goes on from there.
fn first_attempt(observed: &Observed, container: &Container, role: Role) -> u32 {
    let status = &observed.status;
    let statuses = if role.is_init() {
        &status.init_container_statuses
    } else {
        &status.container_statuses
    };
    let known = statuses
        .iter()
        .find(|status| status.name == container.name && !status.container_id.is_empty());
    known.map_or(0, |status| u32::try_from(status.restart_count).unwrap_or(0) + 1)
}

/// A sidecar is started again under every policy.
fn is_restarted(policy: RestartPolicy, role: Role, well: bool) -> bool {
    match policy {
        _ if role == Role::Sidecar => true,
        RestartPolicy::Always => !(role == Role::Init && well),
        RestartPolicy::OnFailure => !well,
        RestartPolicy::Never => false,
    }
}
