//! The last step of every write: try the change on a copy, then put it on the log.

use skep_api::proto::{WriteOptions, WriteResult};
use skep_state::{Applied, Change, Effect, Outcome, Refusal, State};

use crate::{clock::now, core::Core, failure::Failure};

/// How a write is to be carried out.
#[derive(Clone, Debug, Default)]
pub(super) struct Commit {
    pub request_id: String,
    pub dry_run: bool,
}

const REQUEST_ID_CHARS_MAX: usize = 64;

impl Commit {
    /// As the request says.
    pub(super) fn of(options: Option<&WriteOptions>) -> Result<Self, Failure> {
        let (id, dry_run) = options.map_or(("", false), |options| {
            (options.request_id.as_str(), options.dry_run)
        });
        Self::new(id, dry_run)
    }

    pub(super) fn new(request_id: &str, dry_run: bool) -> Result<Self, Failure> {
        if request_id.chars().count() > REQUEST_ID_CHARS_MAX {
            let message = format!("requestId: may have {REQUEST_ID_CHARS_MAX} characters at most");
            return Err(Failure::BadRequest(message));
        }
        Ok(Self {
            request_id: request_id.to_owned(),
            dry_run,
        })
    }

    /// What was answered before to this request, where it was carried out and is remembered.
    pub(super) fn answered_before(&self, state: &State) -> Option<Outcome> {
        state.answered(&self.request_id)?.into_iter().next()
    }

    /// Writes one change that is right by this server's own state, which may lag behind: what the log takes, it takes on
    /// the state as it is then. Anything but a success on both is for [`Self::write`] to look at with a state that is
    /// not behind; so is a dry run, and a change that would change nothing.
    pub(super) async fn write_ahead(
        &self,
        core: &Core,
        state: &State,
        change: Change,
    ) -> Result<Applied, Ahead> {
        if let Some(outcome) = self.answered_before(state) {
            return outcome.map_err(|_| Ahead::LookAgain);
        }
        let tried = state.try_change(&change, now());
        if self.dry_run || !tried.is_ok_and(|applied| applied.effect != Effect::Nothing) {
            return Err(Ahead::LookAgain);
        }
        let outcomes = core.propose(&self.request_id, vec![change]).await;
        match only(outcomes.map_err(Ahead::Failed)?) {
            Ok(outcome) => outcome.map_err(|_| Ahead::LookAgain),
            Err(rejected) => Err(Ahead::Failed(rejected.into())),
        }
    }

    /// Writes one change. On a dry run, and where it would change nothing, the log is left alone.
    ///
    /// All tries are under the request's own id: whichever of them the log takes first, it takes no other one, through whatever
    /// servers they come. One that it refuses is no answer to the request.
    pub(super) async fn write(
        &self,
        core: &Core,
        state: &State,
        change: Change,
    ) -> Result<Applied, Rejected> {
        let tried = state.try_change(&change, now());
        let nothing = matches!(&tried, Ok(applied) if applied.effect == Effect::Nothing);
        if self.dry_run || nothing {
            return tried.map_err(Rejected::Refused);
        }
        let outcomes = core
            .propose(&self.request_id, vec![change])
            .await
            .map_err(Rejected::Failed)?;
        only(outcomes)?.map_err(Rejected::Refused)
    }
}

/// Why nothing was written by a state that may lag behind.
pub(super) enum Ahead {
    /// That state, or the log, does not allow it, or it is for no log.
    LookAgain,
    /// It is not known what came of it, or there is no way to the log.
    Failed(Failure),
}

/// Why nothing was written.
pub(super) enum Rejected {
    /// By the state, which may have moved on.
    Refused(Refusal),
    /// On the way to it.
    Failed(Failure),
}

impl Rejected {
    /// True where the same write may succeed on what is there now.
    pub(super) fn lost_a_race(&self) -> bool {
        matches!(self, Self::Refused(Refusal::Conflict { .. }))
    }
}

impl From<Rejected> for Failure {
    fn from(rejected: Rejected) -> Self {
        match rejected {
            Rejected::Refused(refusal) => refusal.into(),
            Rejected::Failed(failure) => failure,
        }
    }
}

/// How an accepted change is told to clients.
pub(super) fn result_of(applied: &Applied) -> WriteResult {
    match applied.effect {
        Effect::Added => WriteResult::Created,
        Effect::Modified | Effect::Removed => WriteResult::Configured,
        Effect::Nothing => WriteResult::Unchanged,
    }
}

fn only(outcomes: Vec<Outcome>) -> Result<Outcome, Rejected> {
    let none = || {
        Rejected::Failed(Failure::Internal(
            "an entry of one change had no outcome".to_owned(),
        ))
    };
    outcomes.into_iter().next().ok_or_else(none)
}
