//! What happened lately, for watches to read.

use std::sync::Arc;

use imbl::OrdMap;
use skep_api::{Kind, Object, ObjectKey};

/// How many events the history holds at most.
pub const HISTORY_EVENTS_MAX: usize = 12_000;

/// How many bytes the history is worth at most: its objects, written as JSON, and what an event takes besides.
pub const HISTORY_WEIGHT_MAX: u64 = 24 * 1024 * 1024;

/// One change of one object.
#[derive(Clone, Debug, PartialEq)]
pub struct StateEvent {
    /// The revision it made.
    pub revision: u64,
    /// The object's kind.
    pub kind: Kind,
    /// The object's namespace and name.
    pub key: Arc<ObjectKey>,
    /// The object before; `None` where it is new.
    pub before: Option<Arc<Object>>,
    /// The object after; `None` where it is gone.
    pub after: Option<Arc<Object>>,
}

/// The history does not reach back to the revision that was asked for: list again, then watch from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the history begins after revision {oldest}: list again and watch from the list's revision")]
pub struct Compacted {
    /// The oldest revision after which everything is known.
    pub oldest: u64,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    events: OrdMap<u64, Kept>,
    /// Everything after this revision is in `events`.
    oldest: u64,
    weight: u64,
}

#[derive(Clone, Debug)]
struct Kept {
    event: Arc<StateEvent>,
    weight: u32,
}

impl History {
    /// An empty history that begins after a revision.
    pub(crate) fn after(revision: u64) -> Self {
        Self {
            oldest: revision,
            ..Self::default()
        }
    }

    pub(crate) fn push(&mut self, event: StateEvent, weight: u32) {
        self.weight += u64::from(weight);
        self.events.insert(
            event.revision,
            Kept {
                event: Arc::new(event),
                weight,
            },
        );
        self.trim(HISTORY_EVENTS_MAX, HISTORY_WEIGHT_MAX);
    }

    pub(crate) fn since(&self, revision: u64) -> Result<impl Iterator<Item = &Arc<StateEvent>>, Compacted> {
        if revision < self.oldest {
            return Err(Compacted { oldest: self.oldest });
        }
        Ok(self
            .events
            .range(revision.saturating_add(1)..)
            .map(|(_, kept)| &kept.event))
    }

    fn trim(&mut self, events_max: usize, weight_max: u64) {
        while self.events.len() > events_max || (self.weight > weight_max && self.events.len() > 1) {
            let Some(first) = self.events.get_min().map(|(revision, _)| *revision) else {
                return;
            };
            if let Some(kept) = self.events.remove(&first) {
                self.weight -= u64::from(kept.weight);
            }
            self.oldest = first;
        }
    }
}
