//! The replicated cluster state as a value: no I/O, no clock, no randomness.
//!
//! [`State::apply`] takes one [`Entry`] of the log and is the only way to change a [`State`]. Clones are cheap and
//! stay as they were: a clone is a consistent view for a reader.

mod apply;
mod change;
mod copies;
mod history;
mod indexes;
mod json_len;
mod quotas;
mod requests;
mod rules;
mod selection;
mod senders;
mod snapshot;
mod state;
mod table;
mod tallies;
mod weight;

pub use change::{
    Applied, Change, DeleteOptions, Effect, Entry, Outcome, Precondition, Propagation, Refusal, Verb,
};
pub use copies::fold_copies;
pub use history::{Compacted, HISTORY_EVENTS_MAX, HISTORY_WEIGHT_MAX, StateEvent};
pub use requests::{ANSWERS_MAX, ANSWERS_WEIGHT_MAX, REQUESTS_MAX};
pub use rules::{FOREGROUND_FINALIZER, ORPHAN_FINALIZER};
pub use senders::{SENDERS_MAX, SENT_MAX, Sent};
pub use snapshot::{Record, Restore, RestoreError};
pub use state::State;
pub use tallies::{PodCounts, PodGroup};
