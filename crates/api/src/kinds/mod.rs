//! The kinds, one file each, and the parts that pods are made of.

mod namespace;
mod node;
mod config_map;
mod secret;
mod condition;
mod pod;
mod container;
mod probe;
mod security;
mod volume;
mod replica_set;
mod deployment;
mod event;

pub use namespace::*;
pub use node::*;
pub use config_map::*;
pub use secret::*;
pub use condition::*;
pub use pod::*;
pub use container::*;
pub use probe::*;
pub use security::*;
pub use volume::*;
pub use replica_set::*;
pub use deployment::*;
pub use event::*;
