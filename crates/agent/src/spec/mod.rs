//! From a pod to the engine's terms: what each of its containers is made of, what its variables are, and which
//! credentials pull its image. Nothing here does I/O.

mod container;
mod dns;
pub mod env;
mod expand;
mod fields;
mod holder;
mod identity;
mod inputs;
mod labels;
mod names;
mod network;
mod pull;
mod resources;
mod security;
mod sources;

pub use container::container;
pub use dns::Dns;
pub use fields::FieldError;
pub use holder::{holder, needs_holder};
pub use identity::RunAsNonRootError;
pub use inputs::{ContainerKind, Grant, Inputs, SpecError};
pub use labels::{ContainerLabels, label, node_labels};
pub use names::{container_hash, container_name};
pub use pull::pull_credentials;
pub use resources::{oom_score_adj, qos_class};
pub use security::localhost_profile;
pub use sources::{Facts, Sources};

pub(crate) use fields::{pod_field, resource_field};

#[cfg(test)]
mod tests;
