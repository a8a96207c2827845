//! Moves under way: the pod goes once its replacement serves elsewhere, or stays where that comes to nothing.

use std::time::Duration;

use skep_api::{
    Deployment, Kind, ObjectKey, Pod, PodDisruptionBudget, ReplicaSet, Resource, Time, well_known,
};
use skep_scheduler::Scheduler;
use skep_state::{Change, DeleteOptions, Precondition, State, Verb};

use super::{COMPONENT, Move, Moving, is_better, told};
use crate::{
    EventNote, forecast,
    pods::{dependents, is_active},
    replacement::{self, Replacement, replaceable},
};

/// How long a replacement may take to serve.
const PATIENCE: Duration = Duration::from_secs(300);

/// How long a pod is left alone whose move came to nothing.
const PAUSE: Duration = Duration::from_secs(600);

impl Move {
    /// Marks the pod: its replacement is made.
    pub(crate) fn begin(&self, state: &State, now: Time) -> Option<Change> {
        let mut pod = state
            .get::<Pod>(&self.pod)
            .filter(|pod| pod.metadata.uid == self.uid)?
            .clone();
        Moving::begin(self, now).put(&mut pod);
        replacement::mark(&mut pod, now);
        Some(Change::update(pod))
    }
}

/// What is to be done about a pod that is marked as being moved.
pub(crate) fn carry_on(
    state: &State,
    scheduler: &Scheduler,
    key: &ObjectKey,
    now: Time,
) -> (Option<Change>, Option<EventNote>) {
    let found = state.get::<Pod>(key).filter(|pod| is_active(pod));
    let Some((pod, moving)) = found.and_then(|pod| Some((pod, Moving::of(pod)?))) else {
        return (None, None);
    };
    match next(state, scheduler, pod, &moving, now) {
        Next::Wait => (replacement::keep_up(pod, now), None),
        Next::Go => (Some(evict(pod)), None),
        Next::GiveUp(why) => {
            let message = format!("Stays on {}: {why}", pod.spec.node_name);
            let note = EventNote::warning(pod, COMPONENT, "RebalancingGivenUp", message);
            (Some(give_up(pod, now)), Some(note))
        }
    }
}

enum Next {
    Wait,
    Go,
    GiveUp(String),
}

fn next(state: &State, scheduler: &Scheduler, pod: &Pod, moving: &Moving, now: Time) -> Next {
    let Some(set) = replaceable(state, pod) else {
        return Next::GiveUp("it is not ready any more, or its replica set is gone".to_owned());
    };
    if now.since(moving.since) > PATIENCE {
        let waited = skep_api::duration::human(PATIENCE);
        return Next::GiveUp(format!("its replacement did not serve within {waited}"));
    }
    match replacement::replacement(state, set, pod, now) {
        Replacement::Awaited(_) => Next::Wait,
        Replacement::HasNoPlace(why) => Next::GiveUp(why),
        Replacement::Ready => match is_still_better(state, scheduler, set, pod, moving) {
            Err(why) => Next::GiveUp(why),
            Ok(()) if budgets_allow(state, pod) => Next::Go,
            Ok(()) => Next::Wait,
        },
    }
}

/// Whether the pod's place is worse than that of its replacement, as things have become.
fn is_still_better(
    state: &State,
    scheduler: &Scheduler,
    set: &ReplicaSet,
    pod: &Pod,
    moving: &Moving,
) -> Result<(), String> {
    let Some(new) = newest(state, set, pod) else {
        return Ok(());
    };
    let (from, to) = (&pod.spec.node_name, &new.spec.node_name);
    if from == to {
        return Err(format!(
            "its replacement {} came to the same node",
            new.metadata.name
        ));
    }
    let full = |node: &str| scheduler.fullness_of(node).unwrap_or_default();
    let (left, joined) = (full(from), full(to));
    if moving.overfull && !is_better(left, joined) {
        return Err(format!(
            "things have changed: {from} uses {}, and {to} {} with its replacement {}",
            told(left),
            told(joined),
            new.metadata.name
        ));
    }
    Ok(())
}

/// The pod of the set that was made last, other than this one.
fn newest<'a>(state: &'a State, set: &'a ReplicaSet, pod: &Pod) -> Option<&'a Pod> {
    dependents::<Pod>(state, &set.metadata.uid)
        .filter(|one| is_active(one) && one.metadata.uid != pod.metadata.uid)
        .max_by_key(|one| {
            (
                one.metadata.creation_timestamp,
                one.available_at(0),
                &one.metadata.name,
            )
        })
}

fn budgets_allow(state: &State, pod: &Pod) -> bool {
    let budgets = state.list::<PodDisruptionBudget>(Some(&pod.metadata.namespace));
    let mut selecting = budgets.filter(|budget| budget.selects(&pod.metadata.labels));
    selecting.all(|budget| {
        budget.status.disruptions_allowed > 0
            && budget.status.observed_generation >= budget.metadata.generation
    })
}

fn evict(pod: &Pod) -> Change {
    Change {
        only_if: Precondition {
            uid: Some(pod.metadata.uid.clone()),
            revision: None,
        },
        verb: Verb::Evict {
            pod: pod.key(),
            options: DeleteOptions::default(),
        },
    }
}

/// Takes the mark away: the replica set ends one pod too many, and the pod is left alone for a while.
fn give_up(pod: &Pod, now: Time) -> Change {
    let mut pod = pod.clone();
    let annotations = &mut pod.metadata.annotations;
    annotations.remove(well_known::REBALANCE_MOVE);
    annotations.remove(well_known::REPLACED_UNTIL);
    let after = now.plus(PAUSE).whole_secs().to_string();
    annotations.insert(well_known::REBALANCE_AFTER.to_owned(), after);
    Change::update(pod)
}

/// What is told when a move has begun: on the pod, and on what makes it in the end.
pub(crate) fn started(state: &State, pod: &Pod, moving: &Moving) -> Vec<EventNote> {
    let (from, to, why) = (&pod.spec.node_name, &moving.to, &moving.why);
    let first = "a replacement is started first";
    let of_pod = format!("Moves from {from} to {to}: {why}; {first}");
    let of_owner = format!(
        "Moves pod {} from {from} to {to}: {why}; {first}",
        pod.metadata.name
    );
    told_both(state, pod, "Rebalancing", of_pod, of_owner)
}

/// What is told when the moved pod goes.
pub(crate) fn stopped(state: &State, pod: &Pod) -> Vec<EventNote> {
    let set = pod
        .metadata
        .controller()
        .and_then(|owner| state.by_uid(&owner.uid));
    let set = set.and_then(|owner| ReplicaSet::from_object(owner));
    let from = &pod.spec.node_name;
    let new = set.and_then(|set| newest(state, set, pod));
    let place = new.map_or_else(String::new, |new| {
        format!(
            ": {} serves on {} in its place",
            new.metadata.name, new.spec.node_name
        )
    });
    let of_pod = format!("Leaves {from}{place}");
    let of_owner = format!("Pod {} leaves {from}{place}", pod.metadata.name);
    told_both(state, pod, "Rebalanced", of_pod, of_owner)
}

fn told_both(state: &State, pod: &Pod, reason: &str, of_pod: String, of_owner: String) -> Vec<EventNote> {
    let mut notes = vec![EventNote::normal(pod, COMPONENT, reason, of_pod)];
    let (kind, key) = forecast::owner(state, pod);
    match kind {
        Kind::Deployment => notes.extend(
            state
                .get::<Deployment>(&key)
                .map(|owner| EventNote::normal(owner, COMPONENT, reason, of_owner)),
        ),
        Kind::ReplicaSet => notes.extend(
            state
                .get::<ReplicaSet>(&key)
                .map(|owner| EventNote::normal(owner, COMPONENT, reason, of_owner)),
        ),
        _ => {}
    }
    notes
}
