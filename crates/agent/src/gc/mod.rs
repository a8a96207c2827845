//! Makes room on the engine's disk by removing images that nobody uses.

mod collector;
mod policy;

pub(crate) use collector::{Reclaim, collect, reclaim};
