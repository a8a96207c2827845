//! What the node is to run, kept on its disk: after a reboot its pods start with no server in reach.
//!
//! All of it is sealed with a key of this node. It is only ever a copy: damaged, it is set aside and filled again by the next
//! session, and meanwhile nothing is taken for unwanted.

mod attempts;
mod disk;
mod error;
mod handle;
mod parts;
mod saved;
mod store;
mod writer;

#[cfg(test)]
mod tests;

pub(crate) use disk::Disk;
pub(crate) use handle::Checkpoint;
pub(crate) use saved::{Owner, Saved};
pub(crate) use writer::write;
