//! The changes that ride together, and whom to tell what became of them.

use skep_api::{ObjectKey, Time};
use skep_controllers::EventNote;
use skep_state::{Change, Outcome};
use skep_store::ProposeError;

use super::{placing::Placement, queue::Work};
use crate::{clock::now, core::Core, stamp::stamp_new};

/// Changes in one entry.
const CHANGES_MAX: usize = 1024;

/// Who wants a change.
#[derive(Clone, Debug)]
pub(super) enum Origin {
    /// A controller, for a key.
    Work(Work),
    /// The scheduler, for a pod with this uid.
    Placement(ObjectKey, String),
    /// The record of what happened: nobody waits for it.
    Note,
}

/// The changes that ride together.
#[derive(Default)]
pub(super) struct Draft {
    changes: Vec<Change>,
    origins: Vec<Origin>,
    pub notes: Vec<EventNote>,
}

impl Draft {
    /// What a controller wants.
    pub(super) fn add_work(&mut self, work: &Work, changes: Vec<Change>, notes: Vec<EventNote>) {
        self.origins
            .extend(changes.iter().map(|_| Origin::Work(work.clone())));
        self.changes.extend(changes);
        self.notes.extend(notes);
    }

    /// What the scheduler wants.
    pub(super) fn add_placement(&mut self, placement: Placement) {
        if let Some(change) = placement.change {
            self.changes.push(change);
            self.origins.push(Origin::Placement(placement.pod, placement.uid));
        }
        self.notes.extend(placement.note);
    }

    /// The record of the notes.
    pub(super) fn add_record(&mut self, changes: Vec<Change>) {
        self.origins.extend(changes.iter().map(|_| Origin::Note));
        self.changes.extend(changes);
    }

    /// Gives new objects what they lack.
    pub(super) fn stamp(&mut self, wall: Time) {
        stamp_new(&mut self.changes, wall);
    }

    /// Writes the changes, in as few entries as the limits allow; tells what became of each.
    pub(super) async fn propose(self, core: &Core) -> Vec<(Origin, Result<Outcome, ProposeError>)> {
        let mut results = Vec::with_capacity(self.changes.len());
        let mut rest: Vec<(Change, Origin)> = self.changes.into_iter().zip(self.origins).collect();
        let mut max = CHANGES_MAX;
        while !rest.is_empty() {
            let part = rest.len().min(max);
            let changes: Vec<Change> = rest[..part].iter().map(|(change, _)| change.clone()).collect();
            let entry = skep_state::Entry {
                request_id: String::new(),
                now: now(),
                changes,
            };
            match core.store.propose(entry).await {
                Err(ProposeError::TooLarge { .. }) if part > 1 => max = part / 2,
                Err(error) => {
                    results.extend(rest.drain(..part).map(|(_, origin)| (origin, Err(error.clone()))));
                }
                Ok(outcomes) => {
                    let origins = rest.drain(..part).map(|(_, origin)| origin);
                    results.extend(
                        origins
                            .zip(outcomes)
                            .map(|(origin, outcome)| (origin, Ok(outcome))),
                    );
                }
            }
        }
        results
    }

    /// True where there is nothing to write.
    pub(super) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}
