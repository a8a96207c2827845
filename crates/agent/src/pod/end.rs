//! The way down: containers end, then nothing is left; or, for a pod that is over, only what its logs need.

use std::time::Duration;

use skep_api::Time;

use super::{
    Action, Address, Desired, Observed, Role, Run, VolumeState, Work,
    next::{Next, next},
    plan::Plan,
};

/// A sidecar has this long to end, however long the others took.
const SIDECAR_GRACE_MIN: Duration = Duration::from_secs(2);

/// How a container ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ending {
    pub(super) grace: Duration,
    pub(super) pre_stop: bool,
}

/// Ends what runs, and gives the address back; dead containers and volumes stay until the pod is deleted.
pub(super) fn plan_ended(desired: &Desired, observed: &Observed, now: Time, plan: &mut Plan<'_>) {
    if stop_all(desired, observed, now, plan) || is_starting(observed) {
        return;
    }
    if let Some(holder) = &observed.holder {
        plan.act(Action::Remove {
            id: holder.id.clone(),
        });
    } else if observed.address != Address::None {
        plan.act(Action::FreeAddress);
    }
    free_devices(observed, plan);
}

/// Ends what runs, then removes containers, volumes and address.
pub(super) fn plan_gone(desired: &Desired, observed: &Observed, now: Time, plan: &mut Plan<'_>) {
    if stop_all(desired, observed, now, plan) || is_starting(observed) {
        return;
    }
    let mut left = false;
    for (_, run) in observed.all_runs() {
        left = true;
        plan.act(Action::Remove { id: run.id.clone() });
    }
    if left {
        return;
    }
    if observed.volumes != VolumeState::Absent {
        plan.act(Action::TearDownVolumes);
    }
    if observed.address != Address::None {
        plan.act(Action::FreeAddress);
    }
    free_devices(observed, plan);
}

fn free_devices(observed: &Observed, plan: &mut Plan<'_>) {
    if observed.devices.is_some() {
        plan.act(Action::FreeDevices);
    }
}

/// Plans the end of a running container; true where this is new. An end that is going on is only ever made sooner.
pub(super) fn stop(
    observed: &Observed,
    now: Time,
    container: &str,
    run: &Run,
    ending: Ending,
    plan: &mut Plan<'_>,
) -> bool {
    let Ending { grace, pre_stop } = ending;
    let action = |pre_stop| Action::Stop {
        container: container.to_owned(),
        id: run.id.clone(),
        grace,
        pre_stop,
    };
    match observed.stopping.get(&run.id) {
        None => plan.act(action(pre_stop)),
        Some(killed_at) if *killed_at > now.plus(grace) => {
            plan.force(action(false));
            false
        }
        Some(_) => false,
    }
}

/// True while a container (not the holder) runs.
fn stop_all(desired: &Desired, observed: &Observed, now: Time, plan: &mut Plan<'_>) -> bool {
    let urgent = observed.evicted.as_ref().and_then(|evicted| evicted.grace);
    let grace = desired.grace();
    let ending = Ending {
        grace: urgent.map_or(grace, |urgent| urgent.min(grace)),
        pre_stop: true,
    };
    let mut running = false;
    for (name, runs) in observed
        .runs
        .iter()
        .filter(|(name, _)| !is_sidecar(desired, name))
    {
        for run in runs.iter().filter(|run| run.is_running()) {
            running = true;
            end_one(observed, now, name, run, ending, plan);
        }
    }
    running || stop_last_sidecar(desired, observed, now, ending, plan)
}

fn end_one(observed: &Observed, now: Time, name: &str, run: &Run, ending: Ending, plan: &mut Plan<'_>) {
    if stop(observed, now, name, run, ending, plan) {
        plan.say(name, false, "Killing", format!("Stopping container {name}"));
    }
}

fn is_sidecar(desired: &Desired, name: &str) -> bool {
    let mut inits = desired.init_containers();
    inits.any(|(container, role)| role == Role::Sidecar && container.name == name)
}

/// Sidecars end one after the other, the last one first, in what is left of the pod's time; true while one runs.
fn stop_last_sidecar(
    desired: &Desired,
    observed: &Observed,
    now: Time,
    mut ending: Ending,
    plan: &mut Plan<'_>,
) -> bool {
    let mut sidecars = desired.init_containers().rev().filter(|(_, role)| role.lasts());
    let running = sidecars.find_map(|(container, _)| {
        let run = observed.latest(&container.name).filter(|run| run.is_running())?;
        Some((container, run))
    });
    let Some((container, run)) = running else {
        return false;
    };
    if let Some(until) = desired.pod.metadata.deletion_timestamp {
        ending.grace = ending.grace.min(until.since(now).max(SIDECAR_GRACE_MIN));
    }
    end_one(observed, now, &container.name, run, ending, plan);
    true
}

/// Once all others are over for good, nobody needs the sidecars of the pod any more; true where that is so.
pub(super) fn plan_sidecars_of_done(
    desired: &Desired,
    observed: &Observed,
    now: Time,
    plan: &mut Plan<'_>,
) -> bool {
    let mut mains = desired.containers().filter(|(_, role)| *role == Role::Main);
    let has_sidecars = desired.init_containers().any(|(_, role)| role.lasts());
    let over = |container| {
        matches!(
            next(desired, observed, container, Role::Main, now),
            Next::Over { .. }
        )
    };
    if !has_sidecars || !mains.all(|(container, _)| over(container)) {
        return false;
    }
    let ending = Ending {
        grace: desired.grace(),
        pre_stop: true,
    };
    stop_last_sidecar(desired, observed, now, ending, plan);
    true
}

/// True while work that may leave something behind is not over.
fn is_starting(observed: &Observed) -> bool {
    observed
        .working
        .iter()
        .any(|work| matches!(work, Work::Start(_) | Work::Holder | Work::Volumes))
}
