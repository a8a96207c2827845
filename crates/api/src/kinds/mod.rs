//! The kinds, one file each, and the parts that pods are made of.

mod affinity;
mod condition;
mod conditions;
mod config_map;
mod container;
mod deployment;
mod event;
mod namespace;
mod node;
mod pod;
mod pod_facts;
mod pod_status;
mod probe;
mod replica_set;
mod secret;
mod scheduling;
mod security;
mod volume;

pub use affinity::*;
pub use condition::*;
pub use config_map::*;
pub use container::*;
pub use deployment::*;
pub use event::*;
pub use namespace::*;
pub use node::*;
pub use pod::*;
pub use pod_status::*;
pub use probe::*;
pub use replica_set::*;
pub use secret::*;
pub use scheduling::*;
pub use security::*;
pub use volume::*;
