//! The way up: volumes, address, holder, images, init containers one by one, then the others; and what keeps them up.

use skep_api::{Container, Time};

use super::{
    Action, Address, Desired, Hook, Observed, Role, Run, VolumeState, container_status, end,
    end::Ending,
    next::{Next, is_changed, next},
    plan::Plan,
};
use crate::spec::needs_holder;

/// Runs of one container that are kept: the present one and the one before, for its log and last state.
const RUNS_KEPT: usize = 2;

pub(super) fn plan(desired: &Desired, observed: &Observed, now: Time, plan: &mut Plan<'_>) {
    let volumes = plan_volumes(desired, observed, plan);
    let address = plan_address(desired, observed, plan);
    let devices = plan_devices(desired, observed, plan);
    let holder = plan_holder(desired, observed, now, address, plan);
    for (container, _) in desired.containers() {
        if let Some(run) = observed.latest(&container.name).filter(|run| run.is_running()) {
            look_after(desired, observed, now, container, run, plan);
        }
    }
    if end::plan_sidecars_of_done(desired, observed, now, plan) {
        return remove_old_runs(observed, plan);
    }
    for (container, role) in due(desired, observed, now) {
        let next = next(desired, observed, container, role, now);
        advance(
            observed,
            container,
            &next,
            volumes && address && devices && holder,
            plan,
        );
    }
    remove_old_runs(observed, plan);
}

/// The containers whose turn it is: the first init container that the others wait for and the sidecars before it, or all
/// that last.
fn due<'a>(desired: &'a Desired, observed: &Observed, now: Time) -> Vec<(&'a Container, Role)> {
    match unfinished_init(desired, observed, now) {
        Some(waited_for) => {
            let before = desired
                .init_containers()
                .take_while(|(container, _)| container.name != waited_for.name);
            let sidecars = before.filter(|(_, role)| role.lasts());
            sidecars
                .chain(
                    desired
                        .init_containers()
                        .filter(|(one, _)| one.name == waited_for.name),
                )
                .collect()
        }
        None => desired.containers().filter(|(_, role)| role.lasts()).collect(),
    }
}

/// The init container that the others wait for. None does once one of the others was ever started.
pub(super) fn unfinished_init<'a>(
    desired: &'a Desired,
    observed: &Observed,
    now: Time,
) -> Option<&'a Container> {
    let spec = &desired.pod.spec;
    if spec
        .containers
        .iter()
        .any(|container| observed.latest(&container.name).is_some())
    {
        return None;
    }
    let is_done = |(container, role): &(&Container, Role)| {
        if role.lasts() {
            container_status::has_started(observed, container)
        } else {
            next(desired, observed, container, *role, now) == Next::Over { well: true }
        }
    };
    let mut inits = desired.init_containers();
    inits.find(|one| !is_done(one)).map(|(container, _)| container)
}

/// True where containers may be started as far as volumes go; a refresh does not hold them up.
fn plan_volumes(desired: &Desired, observed: &Observed, plan: &mut Plan<'_>) -> bool {
    match observed.volumes {
        VolumeState::Ready { sources } if sources == desired.sources => true,
        VolumeState::Ready { .. } => {
            plan.act(Action::SetUpVolumes);
            true
        }
        VolumeState::Absent | VolumeState::Unknown => {
            plan.act(Action::SetUpVolumes);
            false
        }
    }
}

fn plan_address(desired: &Desired, observed: &Observed, plan: &mut Plan<'_>) -> bool {
    if desired.pod.spec.host_network || observed.address != Address::None {
        return true;
    }
    plan.act(Action::TakeAddress);
    false
}

fn plan_devices(desired: &Desired, observed: &Observed, plan: &mut Plan<'_>) -> bool {
    if desired.wants.is_empty() || observed.devices.is_some() {
        return true;
    }
    plan.act(Action::TakeDevices);
    false
}

/// Containers that share a dead holder's namespaces have lost their network: they end before there is a new one.
fn plan_holder(
    desired: &Desired,
    observed: &Observed,
    now: Time,
    address: bool,
    plan: &mut Plan<'_>,
) -> bool {
    if !needs_holder(&desired.pod) {
        return true;
    }
    if observed.holder.as_ref().is_some_and(Run::is_running) {
        return true;
    }
    let is_lost = observed.holder.as_ref().is_none_or(Run::is_over);
    let stranded: Vec<_> = observed
        .all_runs()
        .filter(|(_, run)| is_lost && run.is_running())
        .collect();
    if !stranded.is_empty() {
        let ending = Ending {
            grace: desired.grace(),
            pre_stop: true,
        };
        let mut any = false;
        for (name, run) in stranded {
            any |= end::stop(observed, now, name, run, ending, plan);
        }
        if any {
            let message = "Pod sandbox changed, it will be killed and re-created.".to_owned();
            plan.say("", false, "SandboxChanged", message);
        }
        return false;
    }
    match &observed.holder {
        Some(run) if run.is_over() => drop(plan.act(Action::Remove { id: run.id.clone() })),
        _ if address => drop(plan.act(Action::StartHolder)),
        _ => {}
    }
    false
}

/// Ends a running container that has to be replaced, and runs its postStart hook.
fn look_after(
    desired: &Desired,
    observed: &Observed,
    now: Time,
    container: &Container,
    run: &Run,
    plan: &mut Plan<'_>,
) {
    let name = &container.name;
    let mut ending = Ending {
        grace: desired.grace(),
        pre_stop: true,
    };
    let failed = observed.probes.get(&run.id).and_then(|probed| probed.failed);
    let why = if is_changed(desired, run, container) {
        format!("Container {name} definition changed, will be restarted")
    } else if let Some(probe) = failed {
        ending.grace = probe_grace(container, probe).unwrap_or(ending.grace);
        format!("Container {name} failed {probe} probe, will be restarted")
    } else if let Some(Hook::Failed(_)) = observed.hooks.get(&run.id) {
        "FailedPostStartHook".to_owned()
    } else {
        if hook_is_pending(observed, container, run) {
            plan.act(Action::PostStart {
                container: name.clone(),
                id: run.id.clone(),
            });
        }
        return;
    };
    if end::stop(observed, now, name, run, ending, plan) {
        plan.say(name, false, "Killing", why);
    }
}

/// True where the container has a postStart hook that is not known to be over.
pub(super) fn hook_is_pending(observed: &Observed, container: &Container, run: &Run) -> bool {
    let has_hook = container
        .lifecycle
        .as_ref()
        .is_some_and(|lifecycle| lifecycle.post_start.is_some());
    has_hook && !observed.hooks.contains_key(&run.id) && !was_reported_running(observed, container, run)
}

fn was_reported_running(observed: &Observed, container: &Container, run: &Run) -> bool {
    let id = container_status::container_id(&run.id);
    let status = &observed.status;
    let mut statuses = status
        .container_statuses
        .iter()
        .chain(&status.init_container_statuses);
    statuses.any(|status| {
        status.name == container.name && status.container_id == id && status.state.running.is_some()
    })
}

fn probe_grace(container: &Container, probe: &str) -> Option<std::time::Duration> {
    let probe = if probe == "startup" {
        &container.startup_probe
    } else {
        &container.liveness_probe
    };
    let seconds = probe.as_ref()?.termination_grace_period_seconds?;
    Some(std::time::Duration::from_secs(
        u64::try_from(seconds).unwrap_or(0),
    ))
}

fn advance(observed: &Observed, container: &Container, next: &Next<'_>, placed: bool, plan: &mut Plan<'_>) {
    let name = container.name.clone();
    match *next {
        Next::Start { attempt, crashes } => {
            if observed
                .images
                .get(&name)
                .is_none_or(|image| image.attempt != attempt)
            {
                plan.act(Action::EnsureImage {
                    container: name,
                    attempt,
                });
            } else if placed {
                plan.act(Action::Start {
                    container: name,
                    attempt,
                    crashes,
                });
            }
        }
        Next::Wait { until, .. } => plan.look_at(until),
        Next::Resume(run) if placed => {
            plan.act(Action::Resume {
                container: name,
                id: run.id.clone(),
            });
        }
        Next::Resume(_) | Next::Running(_) | Next::Over { .. } => {}
    }
}

fn remove_old_runs(observed: &Observed, plan: &mut Plan<'_>) {
    for runs in observed.runs.values() {
        for run in runs.iter().rev().skip(RUNS_KEPT).filter(|run| run.is_over()) {
            plan.act(Action::Remove { id: run.id.clone() });
        }
    }
}
