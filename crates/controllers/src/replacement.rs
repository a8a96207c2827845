//! Start-first: a pod's replacement is made and ready before the pod goes. Draining and rebalancing both ask here.

use std::time::Duration;

use skep_api::{Condition, ConditionStatus, Pod, ReplicaSet, Resource, Time, well_known};
use skep_state::{Change, State};

use crate::pods::{is_active, replaced_until};

/// How long a replacement is kept up though nobody asks for it any more.
const REPLACED_FOR: Duration = Duration::from_secs(300);

/// How a pod's replacement is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replacement {
    /// It is there: the pod may go.
    Ready,
    /// No node has room for it, or it cannot be made: to wait would be in vain. Why, in words.
    HasNoPlace(String),
    /// What is waited for.
    Awaited(String),
}

/// The replica set of a pod that serves and would be missed: it makes the replacement.
pub fn replaceable<'a>(state: &'a State, pod: &Pod) -> Option<&'a ReplicaSet> {
    let serves = pod.is_ready() && !pod.metadata.is_deleting();
    let owner = state.by_uid(&pod.metadata.controller().filter(|_| serves)?.uid)?;
    ReplicaSet::from_object(owner).filter(|set| set.spec.replicas > 0 && !set.metadata.is_deleting())
}

/// Asks for a pod's replacement, or asks again in time; `None` where it is asked for already.
pub fn keep_up(pod: &Pod, now: Time) -> Option<Change> {
    if replaced_until(pod).is_some_and(|until| until.since(now) > REPLACED_FOR / 2) {
        return None;
    }
    let mut marked = pod.clone();
    mark(&mut marked, now);
    Some(Change::update(marked))
}

/// Marks a pod as one whose replacement is to be made.
pub(crate) fn mark(pod: &mut Pod, now: Time) {
    let until = now.plus(REPLACED_FOR).whole_secs().to_string();
    pod.metadata
        .annotations
        .insert(well_known::REPLACED_UNTIL.to_owned(), until);
}

/// How the replacement of a pod of this set is doing.
pub fn replacement(state: &State, set: &ReplicaSet, pod: &Pod, now: Time) -> Replacement {
    let available = |pod: &Pod| pod.is_available(set.spec.min_ready_seconds, now);
    let siblings = state
        .owned_by(&set.metadata.uid)
        .filter_map(|object| Pod::from_object(object));
    let pods: Vec<&Pod> = siblings.filter(|pod| is_active(pod)).collect();
    let wanted = usize::try_from(set.spec.replicas).unwrap_or(0);
    if pods.iter().filter(|pod| available(pod)).count() > wanted {
        return Replacement::Ready;
    }
    let new: Vec<&&Pod> = pods
        .iter()
        .filter(|one| one.metadata.name != pod.metadata.name && !available(one))
        .collect();
    if let Some((name, why)) = new.iter().find_map(|pod| has_no_place(pod)) {
        return Replacement::HasNoPlace(format!("its replacement {name} finds no place: {why}"));
    }
    let failed = Condition::find(&set.status.conditions, "ReplicaFailure");
    match (new.first(), failed) {
        (Some(one), _) => Replacement::Awaited(format!("{} is not available yet", one.metadata.name)),
        (None, Some(failed)) => {
            Replacement::HasNoPlace(format!("its replacement cannot be made: {}", failed.message))
        }
        (None, None) => {
            Replacement::Awaited(format!("replica set {} is about to make it", set.metadata.name))
        }
    }
}

fn has_no_place(pod: &Pod) -> Option<(&str, &str)> {
    let scheduled =
        Condition::find(&pod.status.conditions, "PodScheduled").filter(|_| pod.spec.node_name.is_empty())?;
    (scheduled.status == ConditionStatus::False).then_some((&pod.metadata.name, &scheduled.message))
}

#[cfg(test)]
mod tests {
    use skep_api::Object;
    use skep_state::Entry;
    use skep_testkit::{at, namespace, pod, replica_set, start};

    use super::*;

    fn state(objects: Vec<Object>) -> State {
        let mut state = State::default();
        let mut changes = vec![Change::create(namespace("default"))];
        changes.extend(objects.into_iter().map(Change::create));
        let entry = Entry {
            request_id: String::new(),
            sent: None,
            now: start(),
            changes,
        };
        assert!(state.apply(&entry).iter().all(Result::is_ok));
        state
    }

    fn told(others: Vec<Pod>) -> String {
        let set = replica_set("web", 1).build();
        let old = pod("old").owned_by(&set).node("a").ready().build();
        let mut objects: Vec<Object> = vec![set.clone().into(), old.clone().into()];
        objects.extend(others.into_iter().map(Object::from));
        match replacement(&state(objects), &set, &old, at(60)) {
            Replacement::Ready => "ready".to_owned(),
            Replacement::HasNoPlace(what) | Replacement::Awaited(what) => what,
        }
    }

    #[test]
    fn the_old_pod_goes_once_its_replacement_is_ready_or_cannot_be() {
        let set = replica_set("web", 1).build();
        let new = || pod("new").owned_by(&set);
        assert_eq!(told(vec![]), "replica set web is about to make it");
        assert_eq!(
            told(vec![new().node("b").running().build()]),
            "new is not available yet"
        );
        assert_eq!(told(vec![new().node("b").ready().build()]), "ready");
        let stuck = new().condition("PodScheduled", ConditionStatus::False).build();
        assert_eq!(told(vec![stuck]), "its replacement new finds no place: ");
    }

    #[test]
    fn pods_without_replica_set_are_not_replaced() {
        let alone = pod("alone").node("a").ready().build();
        assert!(replaceable(&state(vec![alone.clone().into()]), &alone).is_none());
    }

    #[test]
    fn a_replacement_is_asked_for_once_and_again_in_time() {
        let pod = pod("web").node("a").ready().build();
        let change = keep_up(&pod, at(0)).unwrap();
        let skep_state::Verb::Update(asked) = change.verb else {
            panic!()
        };
        let asked = Pod::from_object(&asked).unwrap();
        assert_eq!(keep_up(asked, at(60)), None);
        assert!(keep_up(asked, at(200)).is_some());
    }
}
