//! Pure reconcilers that turn desired state into changes, one file each.
//!
//! A [`Controller`] is woken by key, reads the present state and proposes what is missing; run again on the applied result it
//! proposes nothing. It holds no memory, clock or randomness. All controllers may run on the same state, and all their
//! changes may ride in one entry.

pub mod admission;
mod adoption;
mod controller;
mod count;
mod defaults;
mod deployment;
mod disruption;
mod event_garbage;
pub mod events;
mod forecast;
mod garbage;
mod hash;
mod manager;
mod namespace;
mod node;
mod node_pool;
mod pod_garbage;
mod pods;
mod quota;
mod rebalance;
mod replacement;
mod replica_set;
mod settings;
mod tier_budget;

pub use controller::{Context, Controller, EventNote, Lease, Reconciled, Shared};
pub use defaults::{DEFAULTS_ANNOTATION, DEFAULTS_VERSION, SYSTEM_NAMESPACE, missing_defaults};
pub use forecast::{Forecast, Placed, Preempted, forecast};
pub use manager::{Draft, Fate, Manager, Moment, Origin, Work};
pub use node::is_taken_for_lost;
pub use rebalance::{Held, Move, Moving, RebalancePlan, plan as rebalance_plan};
pub use replacement::{Replacement, keep_up, replaceable, replacement};
pub use settings::{Ipv4Block, ParseBlockError, Rebalancing, Settings, heartbeat};
pub use skep_scheduler::Scoring;

/// Every controller of a cluster.
pub fn all() -> Vec<Box<dyn Controller>> {
    vec![
        Box::new(deployment::DeploymentController),
        Box::new(replica_set::ReplicaSetController),
        Box::new(adoption::AdoptionController),
        Box::new(garbage::GarbageCollector),
        Box::new(namespace::NamespaceController),
        Box::new(node::NodeController),
        Box::new(node_pool::NodePoolController),
        Box::new(node_pool::PoolMemberController),
        Box::new(tier_budget::TierBudgetController),
        Box::new(disruption::DisruptionController),
        Box::new(quota::QuotaController),
        Box::new(pod_garbage::PodGarbageCollector),
        Box::new(event_garbage::EventGarbageCollector),
    ]
}
