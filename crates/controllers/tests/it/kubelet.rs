//! A fake agent for all nodes: starts pods that are bound, and sees off those that are to go.

use std::{collections::BTreeSet, time::Duration};

use skep_api::{
    Condition, ConditionStatus, ContainerState, ContainerStateRunning, ContainerStateWaiting,
    ContainerStatus, Pod, PodPhase, Time,
};
use skep_state::{Change, DeleteOptions, Precondition, State, Verb};

/// How long a container takes to start and to stop, unless its image says otherwise.
const START: Duration = Duration::from_secs(2);
const STOP: Duration = Duration::from_secs(1);

/// What the agents do about pods, by image: `broken…` cannot be pulled, `unready…` runs and never becomes ready, others are
/// ready after two seconds.
#[derive(Debug, Default)]
pub(crate) struct Kubelet {
    /// Nodes whose agents are silent.
    pub(crate) dead: BTreeSet<String>,
}

impl Kubelet {
    /// The reports that are due, and when the next one is.
    pub(crate) fn work(&self, state: &State, now: Time) -> (Vec<Change>, Option<Time>) {
        let mut due = Vec::new();
        let mut next: Option<Time> = None;
        for pod in state.list::<Pod>(None) {
            let on_live_node = !pod.spec.node_name.is_empty() && !self.dead.contains(&pod.spec.node_name);
            let Some((at, change)) = on_live_node.then(|| plan(pod)).flatten() else {
                continue;
            };
            if at <= now {
                due.push(change);
            } else {
                next = Some(next.map_or(at, |next| next.min(at)));
            }
        }
        (due, next)
    }
}

fn plan(pod: &Pod) -> Option<(Time, Change)> {
    if let Some(deadline) = pod.metadata.deletion_timestamp {
        let grace = pod.metadata.deletion_grace_period_seconds.unwrap_or(0);
        let asked = Time::from_millis(deadline.as_millis() - grace * 1000);
        let options = DeleteOptions {
            grace_seconds: Some(0),
            ..DeleteOptions::default()
        };
        return Some((asked.plus(STOP), Change::delete(&pod.clone().into(), options)));
    }
    if pod.is_terminal() {
        return None;
    }
    let scheduled = Condition::find(&pod.status.conditions, "PodScheduled");
    let bound = scheduled
        .and_then(|condition| condition.last_transition_time)
        .or(pod.metadata.creation_timestamp)?;
    let image = &pod.spec.containers[0].image;
    let (at, status) = match image.as_str() {
        image if image.starts_with("broken") => (bound, waiting(pod)),
        image if image.starts_with("unready") => (bound.plus(START), running(pod, bound.plus(START), false)),
        _ => (bound.plus(START), running(pod, bound.plus(START), true)),
    };
    let wanted = Pod {
        status,
        ..pod.clone()
    };
    let settled = wanted.status.phase == pod.status.phase
        && wanted.status.container_statuses == pod.status.container_statuses;
    let only_if = Precondition {
        uid: Some(pod.metadata.uid.clone()),
        revision: None,
    };
    (!settled).then(|| {
        (
            at,
            Change {
                only_if,
                verb: Verb::UpdateStatus(Box::new(wanted.into())),
            },
        )
    })
}

fn waiting(pod: &Pod) -> skep_api::PodStatus {
    let state = ContainerStateWaiting {
        reason: "ImagePullBackOff".to_owned(),
        message: "no such image".to_owned(),
    };
    report(
        pod,
        PodPhase::Pending,
        ContainerState {
            waiting: Some(state),
            ..ContainerState::default()
        },
        None,
    )
}

fn running(pod: &Pod, since: Time, ready: bool) -> skep_api::PodStatus {
    let state = ContainerStateRunning {
        started_at: Some(since),
    };
    let state = ContainerState {
        running: Some(state),
        ..ContainerState::default()
    };
    report(pod, PodPhase::Running, state, Some(since).filter(|_| ready))
}

fn report(pod: &Pod, phase: PodPhase, state: ContainerState, ready: Option<Time>) -> skep_api::PodStatus {
    let mut status = pod.status.clone();
    let container = &pod.spec.containers[0];
    status.phase = phase;
    status.container_statuses = vec![ContainerStatus {
        name: container.name.clone(),
        image: container.image.clone(),
        ready: ready.is_some(),
        state,
        ..ContainerStatus::default()
    }];
    let holds = if ready.is_some() {
        ConditionStatus::True
    } else {
        ConditionStatus::False
    };
    let condition = Condition {
        last_transition_time: ready,
        ..Condition::new("Ready", holds, "", "")
    };
    Condition::set(&mut status.conditions, condition);
    status
}
