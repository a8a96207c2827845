//! The actions of one step, and when to look again.

use std::time::Duration;

use skep_api::Time;

use super::{Action, Note, Observed, Work, backoff};

/// Collects actions; leaves out what is going on already or is backing off.
pub(super) struct Plan<'a> {
    observed: &'a Observed,
    now: Time,
    actions: Vec<Action>,
    again_at: Option<Time>,
}

impl<'a> Plan<'a> {
    pub(super) fn new(observed: &'a Observed, now: Time) -> Self {
        Self {
            observed,
            now,
            actions: Vec::new(),
            again_at: None,
        }
    }

    /// Plans an action unless its work is going on or backing off; true where it is planned.
    pub(super) fn act(&mut self, action: Action) -> bool {
        if let Some(work) = action.work()
            && !self.is_free(&work)
        {
            return false;
        }
        self.actions.push(action);
        true
    }

    /// Plans an action although its work is going on.
    pub(super) fn force(&mut self, action: Action) {
        self.actions.push(action);
    }

    /// Plans an event.
    pub(super) fn say(&mut self, container: &str, warning: bool, reason: &'static str, message: String) {
        self.actions.push(Action::Say(Note {
            container: container.to_owned(),
            warning,
            reason,
            message,
        }));
    }

    /// Asks for another look at that time.
    pub(super) fn look_at(&mut self, at: Time) {
        if at > self.now {
            self.again_at = Some(self.again_at.map_or(at, |known| known.min(at)));
        }
    }

    /// The actions, and how long until the next look.
    pub(super) fn finish(self) -> (Vec<Action>, Option<Duration>) {
        (self.actions, self.again_at.map(|at| at.since(self.now)))
    }

    fn is_free(&mut self, work: &Work) -> bool {
        if self.observed.working.contains(work) {
            return false;
        }
        let Some(failure) = self.observed.failed.get(work) else {
            return true;
        };
        let again = backoff::until(failure.at, backoff::retry(work, failure.count), self.now);
        self.look_at(again);
        again <= self.now
    }
}
