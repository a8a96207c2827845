//! The replicated cluster state as a value: no I/O, no clock, no randomness.

mod change;

pub use change::{
    Applied, Change, DeleteOptions, Effect, Entry, Outcome, Precondition, Propagation, Refusal, Verb,
};
