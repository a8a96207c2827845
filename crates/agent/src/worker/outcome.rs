//! How an action ended, and what is seen because of it.

use skep_api::Time;

use crate::{
    pod::{Evicted, Failure, Hook, Image, Observed, Run, VolumeState, Work},
    runtime::{ContainerId, RuntimeError},
};

/// How an action ended.
#[derive(Debug)]
pub(super) struct Outcome {
    /// What it worked on; `None` for a look at a container that nobody planned.
    pub(super) work: Option<Work>,
    /// What is seen now.
    pub(super) seen: Vec<Seen>,
    /// Why it failed, if it did.
    pub(super) failure: Option<Problem>,
}

/// Something that is seen because of an action.
#[derive(Debug)]
pub(super) enum Seen {
    Volumes(VolumeState),
    Image(String, Image),
    /// A run of a container by name.
    Run(String, Run),
    Gone(ContainerId),
    Hook(ContainerId, Hook),
    /// The pod uses more of the node than it may.
    Evicted(Evicted),
}

/// Why an action failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) reason: &'static str,
    pub(super) message: String,
    /// The engine was away, or something passing was in the way: this says nothing of the pod.
    pub(super) passing: bool,
}

impl Problem {
    pub(super) fn new(reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
            passing: false,
        }
    }

    /// A failure of the engine.
    pub(super) fn engine(reason: &'static str, error: &RuntimeError) -> Self {
        let passing = matches!(
            error,
            RuntimeError::Unavailable(_) | RuntimeError::AddressInUse(_)
        );
        Self {
            passing,
            ..Self::new(reason, error.to_string())
        }
    }
}

impl Outcome {
    pub(super) fn of(work: Option<Work>, result: Result<Vec<Seen>, (Vec<Seen>, Problem)>) -> Self {
        match result {
            Ok(seen) => Self {
                work,
                seen,
                failure: None,
            },
            Err((seen, problem)) => Self {
                work,
                seen,
                failure: Some(problem),
            },
        }
    }

    /// Takes it in.
    pub(super) fn apply(self, observed: &mut Observed, now: Time) {
        for seen in self.seen {
            seen.apply(observed);
        }
        let Some(work) = self.work else { return };
        observed.working.remove(&work);
        if let Work::Stop(id) = &work {
            observed.stopping.remove(id);
        }
        match self.failure {
            None => drop(observed.failed.remove(&work)),
            Some(problem) => {
                let before = observed.failed.get(&work).map_or(0, |failure| failure.count);
                let count = if problem.passing {
                    before
                } else {
                    before.saturating_add(1)
                };
                let failure = Failure {
                    reason: problem.reason,
                    message: problem.message,
                    at: now,
                    count,
                };
                observed.failed.insert(work, failure);
            }
        }
    }
}

impl Seen {
    fn apply(self, observed: &mut Observed) {
        match self {
            Self::Volumes(state) => observed.volumes = state,
            Self::Image(container, image) => drop(observed.images.insert(container, image)),
            Self::Run(container, run) => observed.see(&container, run),
            Self::Gone(id) => observed.forget(&id),
            Self::Hook(id, hook) => drop(observed.hooks.insert(id, hook)),
            Self::Evicted(why) => observed.evicted = Some(why),
        }
    }
}
