//! The changes that ride together, and whom to tell what became of them.

use skep_api::ObjectKey;
use skep_state::{Change, Refusal};

use super::{placing::Placement, queue::Work};
use crate::EventNote;

/// Who wants a change.
#[derive(Clone, Debug)]
pub enum Origin {
    /// A controller, for a key.
    Work(Work),
    /// The scheduler, for a pod with this uid.
    Placement(ObjectKey, String),
    /// The record of what happened: nobody waits for it.
    Note,
}

/// What became of a change.
#[derive(Clone, Copy, Debug)]
pub enum Fate<'a> {
    /// It is part of the state.
    Accepted,
    /// The state does not allow it.
    Refused(&'a Refusal),
    /// It did not reach the log, or nobody knows whether it did.
    NotWritten,
}

/// What is to be written, each change with who wants it.
#[derive(Debug, Default)]
pub struct Draft {
    /// In the order in which they are to be applied. New objects may lack uid, name and creation time.
    pub changes: Vec<Change>,
    /// One for each change.
    pub origins: Vec<Origin>,
    pub(super) notes: Vec<EventNote>,
}

impl Draft {
    /// True where there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    pub(super) fn add_work(&mut self, work: &Work, changes: Vec<Change>, notes: Vec<EventNote>) {
        self.origins
            .extend(changes.iter().map(|_| Origin::Work(work.clone())));
        self.changes.extend(changes);
        self.notes.extend(notes);
    }

    pub(super) fn add_placement(&mut self, placement: Placement) {
        let Placement {
            pod,
            uid,
            marks,
            changes,
            notes,
        } = placement;
        self.add_record(marks);
        let origin = |_: &Change| Origin::Placement(pod.clone(), uid.clone());
        self.origins.extend(changes.iter().map(origin));
        self.changes.extend(changes);
        self.notes.extend(notes);
    }

    pub(super) fn add_record(&mut self, changes: Vec<Change>) {
        self.origins.extend(changes.iter().map(|_| Origin::Note));
        self.changes.extend(changes);
    }
}
