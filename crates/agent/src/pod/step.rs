//! One pod moved forward by one step: a pure function of what is wanted, what is seen and the time.

use std::time::Duration;

use skep_api::{PodStatus, Time};

use super::{
    Action, Address, Desired, Observed, VolumeState, Work, end,
    goal::{Goal, goal},
    plan::Plan,
    start, status,
};

/// What to do now, and how the pod is doing.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Step {
    /// What to do; all of it may go on at the same time.
    pub(crate) actions: Vec<Action>,
    /// How the pod is doing. The same input gives the same status.
    pub(crate) status: PodStatus,
    /// The pod was to end, and nothing of it is left.
    pub(crate) gone: bool,
    /// When to look again although nothing has happened.
    pub(crate) again_in: Option<Duration>,
}

/// Plans the next step of a pod.
pub(crate) fn step(desired: &Desired, observed: &Observed, now: Time) -> Step {
    let mut plan = Plan::new(observed, now);
    let (goal, changes_at) = goal(desired, observed, now);
    if let Some(at) = changes_at {
        plan.look_at(at);
    }
    if !observed.engine_away {
        match goal {
            Goal::Run => start::plan(desired, observed, now, &mut plan),
            Goal::Ended(_) => end::plan_ended(desired, observed, now, &mut plan),
            Goal::Gone => end::plan_gone(desired, observed, now, &mut plan),
        }
    }
    let status = status::status(desired, observed, goal, now, &mut plan);
    let (actions, again_in) = plan.finish();
    let gone = goal == Goal::Gone && actions.is_empty() && nothing_left(observed);
    Step {
        actions,
        status,
        gone,
        again_in,
    }
}

fn nothing_left(observed: &Observed) -> bool {
    observed.all_runs().next().is_none()
        && observed.volumes == VolumeState::Absent
        && observed.address == Address::None
        && observed.devices.is_none()
        && observed
            .working
            .iter()
            .all(|work| matches!(work, Work::Image(_) | Work::Hook(_)))
}
