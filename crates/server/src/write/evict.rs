//! A pod's end as far as the disruption budgets allow it, with a replacement started first where that is asked for.

use std::time::Duration;

use skep_api::{
    Condition, ConditionStatus, FieldError, Kind, ObjectKey, Pod, Reason, ReplicaSet, Resource, Time,
    convert,
    proto::{EvictRequest, EvictResponse},
    well_known,
};
use skep_state::{Applied, Change, DeleteOptions, Effect, Precondition, State, Verb};

use super::{ATTEMPTS, commit::Commit};
use crate::{clock::now, core::Core, failure::Failure};

/// How long a replacement is kept up though nobody asks for the eviction any more.
const REPLACED_FOR: Duration = Duration::from_secs(300);

/// Evicts a pod.
pub(crate) async fn evict(core: &Core, request: EvictRequest) -> Result<EvictResponse, Failure> {
    let commit = Commit::new(&request.request_id, request.dry_run)?;
    let namespace = match request.namespace.as_str() {
        "" => skep_api::default::NAMESPACE,
        namespace => namespace,
    };
    let key = ObjectKey::new(namespace, &request.pod);
    let change = Change {
        only_if: precondition(&request)?,
        verb: Verb::Evict {
            pod: key.clone(),
            options: options(&request)?,
        },
    };
    for attempt in 0.. {
        let state = core.read(false).await?;
        if let Some(applied) = commit.answered_before(&state) {
            return Ok(response(&applied));
        }
        let Some(pod) = state.get::<Pod>(&key) else {
            return Err(Failure::NotFound(Kind::Pod, key));
        };
        let mut alone = None;
        if request.start_first && !request.dry_run {
            alone = replace_first(core, &state, pod).await?;
        }
        match commit.write(core, &state, change.clone(), attempt).await {
            Ok(applied) => return Ok(response(&applied)),
            Err(rejected)
                if rejected.lost_a_race()
                    && change.only_if == Precondition::default()
                    && attempt < ATTEMPTS => {}
            Err(rejected) => return Err(explained(rejected.into(), alone)),
        }
    }
    unreachable!("the last attempt returns")
}

/// Where a budget stands in the way, and a replacement would have helped, it is said why there is none.
fn explained(failure: Failure, alone: Option<String>) -> Failure {
    match (failure, alone) {
        (Failure::TooManyRequests(kind, key, message, mut causes), Some(why)) => {
            causes.push(FieldError::new("", Reason::StartFirst, why));
            Failure::TooManyRequests(kind, key, message, causes)
        }
        (failure, _) => failure,
    }
}

fn response(applied: &Applied) -> EvictResponse {
    EvictResponse {
        object: Some(convert::to_struct(&applied.object)),
        gone: applied.effect == Effect::Removed,
    }
}

fn precondition(request: &EvictRequest) -> Result<Precondition, Failure> {
    let revision = match request.resource_version.as_str() {
        "" => None,
        text => Some(
            text.parse()
                .map_err(|_| Failure::BadRequest(format!("resourceVersion: `{text}` is not a number")))?,
        ),
    };
    Ok(Precondition {
        uid: Some(request.uid.clone()).filter(|uid| !uid.is_empty()),
        revision,
    })
}

fn options(request: &EvictRequest) -> Result<DeleteOptions, Failure> {
    match request.grace_period_seconds {
        Some(seconds) if seconds < 0 => Err(Failure::BadRequest(format!(
            "gracePeriodSeconds: {seconds} is negative"
        ))),
        grace_seconds => Ok(DeleteOptions {
            grace_seconds,
            ..DeleteOptions::default()
        }),
    }
}

/// Goes on where the pod's replacement is ready, cannot be (and says why), or is not needed; otherwise fails with what is
/// waited for.
async fn replace_first(core: &Core, state: &State, pod: &Pod) -> Result<Option<String>, Failure> {
    let Some(set) = replaceable(state, pod) else {
        return Ok(None);
    };
    keep_up(core, pod).await?;
    match replacement(state, set, pod, now()) {
        Replacement::Ready => Ok(None),
        Replacement::HasNoPlace(why) => Ok(Some(why)),
        Replacement::Awaited(what) => {
            let cause = FieldError::new("", Reason::StartFirst, what);
            let message = "a replacement is started first".to_owned();
            Err(Failure::TooManyRequests(
                Kind::Pod,
                pod.key(),
                message,
                vec![cause],
            ))
        }
    }
}

/// The replica set of a pod that serves and would be missed.
fn replaceable<'a>(state: &'a State, pod: &Pod) -> Option<&'a ReplicaSet> {
    let serves = pod.is_ready() && !pod.metadata.is_deleting();
    let owner = state.by_uid(&pod.metadata.controller().filter(|_| serves)?.uid)?;
    ReplicaSet::from_object(owner).filter(|set| set.spec.replicas > 0 && !set.metadata.is_deleting())
}

/// Asks for a replacement, or asks again in time.
async fn keep_up(core: &Core, pod: &Pod) -> Result<(), Failure> {
    let (now, annotations) = (now(), &pod.metadata.annotations);
    let until = annotations
        .get(well_known::REPLACED_UNTIL)
        .and_then(|until| until.parse::<Time>().ok());
    if until.is_some_and(|until| until.since(now) > REPLACED_FOR / 2) {
        return Ok(());
    }
    let mut marked = pod.clone();
    let until = now.plus(REPLACED_FOR).whole_secs().to_string();
    marked
        .metadata
        .annotations
        .insert(well_known::REPLACED_UNTIL.to_owned(), until);
    // Where somebody else changed the pod meanwhile, the next call asks again.
    core.propose("", vec![Change::update(marked)]).await?;
    Ok(())
}

/// How a pod's replacement is doing.
enum Replacement {
    Ready,
    /// No node has room for it: to wait would be in vain.
    HasNoPlace(String),
    Awaited(String),
}

fn replacement(state: &State, set: &ReplicaSet, pod: &Pod, now: Time) -> Replacement {
    let siblings = state
        .owned_by(&set.metadata.uid)
        .filter_map(|object| Pod::from_object(object));
    let pods: Vec<&Pod> = siblings
        .filter(|pod| !pod.is_terminal() && !pod.metadata.is_deleting())
        .collect();
    let available = pods
        .iter()
        .filter(|pod| pod.is_available(set.spec.min_ready_seconds, now))
        .count();
    if available > usize::try_from(set.spec.replicas).unwrap_or(0) {
        return Replacement::Ready;
    }
    let new: Vec<&&Pod> = pods
        .iter()
        .filter(|one| {
            one.metadata.name != pod.metadata.name && !one.is_available(set.spec.min_ready_seconds, now)
        })
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
    use skep_state::Entry;
    use skep_testkit::{at, namespace, pod, replica_set, start};

    use skep_api::Object;

    use super::*;

    fn state(objects: Vec<Object>) -> State {
        let mut state = State::default();
        let mut changes = vec![Change::create(namespace("default"))];
        changes.extend(objects.into_iter().map(Change::create));
        let entry = Entry {
            request_id: String::new(),
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
}
