//! Where a pod is to go.

use std::time::Duration;

use skep_api::{PodPhase, Time};

use super::{Desired, Observed};

/// Reason of a pod that ran out of time.
pub(super) const DEADLINE_EXCEEDED: &str = "DeadlineExceeded";

/// Reason of a pod that used more of the node than it may.
pub(super) const EVICTED: &str = "Evicted";

/// Reason of a pod that asks for devices that its node does not have.
pub(super) const REFUSED: &str = "UnexpectedAdmissionError";

/// Where a pod is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    /// Its containers run.
    Run,
    /// Its containers are over and stay, for their logs.
    Ended(Cause),
    /// Nothing of it is left.
    Gone,
}

/// Why the containers of a pod are over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// They ended.
    Own,
    /// The pod ran out of time.
    Deadline,
    /// It used more of the node than it may.
    Evicted,
    /// The node does not have what it asks for.
    Refused,
}

/// The goal, and when it may change by itself.
pub(super) fn goal(desired: &Desired, observed: &Observed, now: Time) -> (Goal, Option<Time>) {
    if desired.ending.is_some() {
        return (Goal::Gone, None);
    }
    let status = &observed.status;
    if matches!(status.phase, PodPhase::Succeeded | PodPhase::Failed) {
        let cause = match status.reason.as_str() {
            DEADLINE_EXCEEDED => Cause::Deadline,
            EVICTED => Cause::Evicted,
            REFUSED => Cause::Refused,
            _ => Cause::Own,
        };
        return (Goal::Ended(cause), None);
    }
    if observed.evicted.is_some() {
        return (Goal::Ended(Cause::Evicted), None);
    }
    if observed.refused.is_some() {
        return (Goal::Ended(Cause::Refused), None);
    }
    let limit = desired
        .pod
        .spec
        .active_deadline_seconds
        .and_then(|secs| u64::try_from(secs).ok());
    match (limit, status.start_time) {
        (Some(limit), Some(start)) => {
            let deadline = start.plus(Duration::from_secs(limit));
            if deadline <= now {
                (Goal::Ended(Cause::Deadline), None)
            } else {
                (Goal::Run, Some(deadline))
            }
        }
        _ => (Goal::Run, None),
    }
}
