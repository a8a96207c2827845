//! Pure reconcilers that turn desired state into changes, one file each.
//!
//! A [`Controller`] is woken by key, reads the present state and proposes what is missing; run again on the applied result it
//! proposes nothing. It holds no memory, clock or randomness. All controllers may run on the same state, and all their
//! changes may ride in one entry.

mod controller;
pub mod events;
mod hash;
mod settings;

pub use controller::{Context, Controller, EventNote, Lease, Reconciled};
pub use settings::{Ipv4Block, ParseBlockError, Settings};

/// Every controller of a cluster.
pub fn all() -> Vec<Box<dyn Controller>> {
    Vec::new()
}
