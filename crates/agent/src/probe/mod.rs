//! Probes of running containers: a pure threshold machine, and one timer loop that asks and tells.

mod prober;
mod schedule;
mod streak;

pub(crate) use prober::{Listener, Prober, Watch};
