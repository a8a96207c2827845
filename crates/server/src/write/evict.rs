//! A pod's end as far as the disruption budgets allow it, with a replacement started first where that is asked for.

use skep_api::{
    FieldError, Kind, ObjectKey, Pod, Reason, Resource, convert,
    proto::{EvictRequest, EvictResponse},
};
use skep_controllers::{Replacement, keep_up, replaceable, replacement};
use skep_state::{Applied, Change, DeleteOptions, Effect, Precondition, State, Verb};

use super::{ATTEMPTS, commit::Commit};
use crate::{clock::now, core::Core, failure::Failure};

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
        if let Some(outcome) = commit.answered_before(&state) {
            return Ok(response(&outcome?));
        }
        let Some(pod) = state.get::<Pod>(&key) else {
            return Err(Failure::NotFound(Kind::Pod, key));
        };
        let mut alone = None;
        if request.start_first && !request.dry_run {
            alone = replace_first(core, &state, pod).await?;
        }
        match commit.write(core, &state, change.clone()).await {
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
    let now = now();
    if let Some(asked) = keep_up(pod, now) {
        // Where somebody else changed the pod meanwhile, the next call asks again.
        core.propose("", vec![asked]).await?;
    }
    match replacement(state, set, pod, now) {
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
