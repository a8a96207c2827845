//! Pure reconcilers that turn desired state into changes, one file each.
//!
//! A [`Controller`] is woken by key, reads the present state and proposes what is missing; run again on the applied result it
//! proposes nothing. It holds no memory, clock or randomness. All controllers may run on the same state, and all their
//! changes may ride in one entry.

mod adoption;
mod controller;
mod deployment;
mod event_garbage;
pub mod events;
mod garbage;
mod hash;
mod namespace;
mod node;
mod pod_garbage;
mod pods;
mod replica_set;
mod settings;

pub use controller::{Context, Controller, EventNote, Lease, Reconciled};
pub use settings::{Ipv4Block, ParseBlockError, Settings, heartbeat};

/// Every controller of a cluster.
pub fn all() -> Vec<Box<dyn Controller>> {
    vec![
        Box::new(deployment::DeploymentController),
        Box::new(replica_set::ReplicaSetController),
        Box::new(adoption::AdoptionController),
        Box::new(garbage::GarbageCollector),
        Box::new(namespace::NamespaceController),
        Box::new(node::NodeController),
        Box::new(pod_garbage::PodGarbageCollector),
        Box::new(event_garbage::EventGarbageCollector),
    ]
}
