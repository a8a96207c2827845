//! One term of leadership: look at what changed, decide, write, look again.

use std::{sync::Arc, time::Duration};

use skep_api::{Kind, Node};
use skep_controllers::{Draft, Fate, Manager, Moment, Work};
use skep_state::{Refusal, State};
use skep_store::ProposeError;
use tokio::time::Instant;

use super::entry::Entries;
use crate::{clock::now, core::Core, long::long, stamp::stamp_new};

/// A look at more changes, keys and pods than this takes long.
const LITTLE: usize = 64;

/// The pause after the log could not be written.
const FAILURE_PAUSE: Duration = Duration::from_millis(500);

pub(super) struct Term {
    core: Arc<Core>,
    began: Instant,
    manager: Manager,
    entries: Entries,
}

impl Term {
    pub(super) fn new(core: Arc<Core>) -> Self {
        let state = core.state();
        let nodes = state.list::<Node>(None);
        core.leases.grant(nodes.map(|node| node.metadata.name.as_str()));
        Self {
            core,
            began: Instant::now(),
            manager: long(|| Manager::new(&state)),
            entries: Entries::new(),
        }
    }

    /// Leads until dropped.
    pub(super) async fn run(mut self) {
        let mut revisions = self.core.revisions();
        loop {
            revisions.borrow_and_update();
            let state = self.core.state();
            let draft = self.look(&state);
            if !draft.is_empty() {
                self.write(draft).await;
                continue;
            }
            if self.manager.is_ready() {
                // A new leader has all there is to look at: it must be heard of, and answer, meanwhile.
                tokio::task::yield_now().await;
                continue;
            }
            let timer = self.manager.next_at(self.began.elapsed());
            tokio::select! {
                changed = revisions.changed() => if changed.is_err() { return },
                () = sleep_until(timer.map(|at| self.began + at)) => {}
            }
        }
    }

    fn look(&mut self, state: &State) -> Draft {
        let much = self.manager.backlog(state) > LITTLE;
        let mut look = || {
            self.follow(state);
            self.decide(state)
        };
        if much { long(look) } else { look() }
    }

    fn follow(&mut self, state: &State) {
        let leases = &self.core.leases;
        self.manager.follow(state, self.began.elapsed(), |event| {
            if event.kind == Kind::Node && event.after.is_none() {
                leases.forget(&event.key.name);
            }
        });
    }

    fn decide(&mut self, state: &State) -> Draft {
        let wall = now();
        let mut draft = self.manager.decide(&Moment {
            state,
            wall,
            at: self.began.elapsed(),
            leases: &|names| self.core.leases.of(names.iter().copied(), wall),
            settings: &self.core.settings,
        });
        stamp_new(&mut draft.changes, wall);
        draft
    }

    async fn write(&mut self, draft: Draft) {
        let results = self.entries.propose(draft, &self.core).await;
        let at = self.began.elapsed();
        let mut failure = None;
        for (origin, result) in results {
            let fate = match &result {
                Ok(Ok(_)) => Fate::Accepted,
                Ok(Err(refusal)) => Fate::Refused(refusal),
                Err(_) => Fate::NotWritten,
            };
            if let Some((controller, work, refusal)) = self.manager.settle(origin, fate, at) {
                report(controller, &work, refusal);
            }
            // What is too large is tried again in smaller entries.
            let error = result
                .err()
                .filter(|error| !matches!(error, ProposeError::TooLarge { .. }));
            failure = error.or(failure);
        }
        if let Some(error) = failure {
            pause(&error).await;
        }
    }
}

/// Races are part of ordinary work; anything else is worth a line.
fn report(controller: &str, work: &Work, refusal: &Refusal) {
    match refusal {
        Refusal::Conflict { .. } | Refusal::NotFound { .. } | Refusal::AlreadyExists { .. } => {
            tracing::debug!(controller, key = %work.key, %refusal, "lost a race");
        }
        _ => tracing::warn!(controller, key = %work.key, %refusal, "a change was refused"),
    }
}

async fn pause(error: &ProposeError) {
    tracing::warn!(%error, "the log could not be written");
    tokio::time::sleep(FAILURE_PAUSE).await;
}

async fn sleep_until(timer: Option<Instant>) {
    match timer {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
