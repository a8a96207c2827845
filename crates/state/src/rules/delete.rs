//! An object's end: at once, after a grace period, or when its finalizers are gone.

use std::{sync::Arc, time::Duration};

use skep_api::{Object, PodPhase, Time};

use super::{Step, invalid, is_done, put_or_remove, status::set_phase};
use crate::{DeleteOptions, Propagation, Refusal};

/// Holds an owner until its dependents are gone.
pub const FOREGROUND_FINALIZER: &str = "foregroundDeletion";

/// Holds an owner until its dependents no longer refer to it.
pub const ORPHAN_FINALIZER: &str = "orphan";

pub(crate) fn delete(current: &Arc<Object>, options: &DeleteOptions, now: Time) -> Result<Step, Refusal> {
    if options.grace_seconds.is_some_and(|seconds| seconds < 0) {
        return Err(invalid(
            current.kind(),
            &current.key(),
            "the grace period must not be negative",
        ));
    }
    if current.meta().is_deleting() {
        Ok(shorten(current, options))
    } else {
        Ok(begin(current, options, now))
    }
}

fn begin(current: &Object, options: &DeleteOptions, now: Time) -> Step {
    let mut object = current.clone();
    let grace = grace_seconds(current, options);
    let meta = object.meta_mut();
    meta.deletion_timestamp = Some(plus_seconds(now, grace));
    meta.deletion_grace_period_seconds = Some(grace);
    let finalizer = match options.propagation {
        Propagation::Background => None,
        Propagation::Foreground => Some(FOREGROUND_FINALIZER),
        Propagation::Orphan => Some(ORPHAN_FINALIZER),
    };
    if let Some(finalizer) = finalizer.filter(|name| !meta.finalizers.iter().any(|have| have == name)) {
        meta.finalizers.push(finalizer.to_owned());
    }
    set_phase(&mut object);
    put_or_remove(object)
}

/// Asking again changes nothing but the grace period, and that only to less.
fn shorten(current: &Arc<Object>, options: &DeleteOptions) -> Step {
    let meta = current.meta();
    let (Some(deadline), Some(before)) = (meta.deletion_timestamp, meta.deletion_grace_period_seconds) else {
        return Step::Nothing(current.clone());
    };
    let Some(grace) = options.grace_seconds.filter(|grace| *grace < before) else {
        return Step::Nothing(current.clone());
    };
    let asked = Time::from_millis(deadline.as_millis().saturating_sub(before.saturating_mul(1000)));
    let mut object = (**current).clone();
    let meta = object.meta_mut();
    meta.deletion_timestamp = Some(plus_seconds(asked, grace));
    meta.deletion_grace_period_seconds = Some(grace);
    if is_done(&object) {
        Step::Remove(object)
    } else {
        Step::Put(object)
    }
}

/// Pods that may have running containers are given time; everything else ends at once.
fn grace_seconds(object: &Object, options: &DeleteOptions) -> i64 {
    let Object::Pod(pod) = object else { return 0 };
    let ended = matches!(pod.status.phase, PodPhase::Succeeded | PodPhase::Failed);
    if pod.spec.node_name.is_empty() || ended {
        return 0;
    }
    options
        .grace_seconds
        .unwrap_or(pod.spec.termination_grace_period_seconds)
        .max(0)
}

fn plus_seconds(time: Time, seconds: i64) -> Time {
    time.plus(Duration::from_secs(seconds.unsigned_abs()))
}
