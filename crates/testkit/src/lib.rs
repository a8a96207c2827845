//! Builders of valid objects for tests: each starts from what a real object looks like, and a test changes what it is about.
//!
//! ```
//! use skep_testkit::{node, pod};
//!
//! let small = node("a").cpu("1").build();
//! let web = pod("web").cpu("250m").label("app", "web").node("a").ready().build();
//! assert_eq!(web.spec.node_name, small.metadata.name);
//! ```

mod meta;
mod node;
mod plain;
mod pod;
mod workload;

use std::time::Duration;

use skep_api::{Quantity, Time};

pub use node::{NodeBuilder, node};
pub use plain::{ConfigMapBuilder, NamespaceBuilder, SecretBuilder, config_map, namespace, noise, secret};
pub use pod::{PodBuilder, pod};
pub use workload::{DeploymentBuilder, ReplicaSetBuilder, deployment, replica_set};

/// The instant at which tests begin: 2026-01-01T00:00:00Z.
pub fn start() -> Time {
    Time::from_secs(1_767_225_600)
}

/// The instant that many seconds after [`start`].
pub fn at(secs: u64) -> Time {
    start().plus(Duration::from_secs(secs))
}

/// The amount that a text such as `250m` or `1Gi` says.
///
/// # Panics
/// Where the text is no quantity: a mistake in the test.
pub fn quantity(text: &str) -> Quantity {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}
