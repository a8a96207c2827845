//! The node daemon: runs pods on the Docker engine of its machine.
//!
//! A session client brings assignments and carries reports; a pure `step` moves each pod forward by one step at a time; executors
//! do what it says through the trait [`runtime::Runtime`]. What is observed is rebuilt from container labels, so an agent's restart
//! touches nothing.

mod config;
mod error;
mod agent;
mod shared;
mod lock;
mod membership;
mod session;
mod link;
mod streams;
mod local;
mod checkpoint;
mod outbox;
mod roster;
mod manager;
mod worker;
mod pod;
mod check;
mod probe;
mod engine;
mod objects;
mod images;
mod ipam;
mod node;
mod gc;
mod clock;
#[cfg(test)]
mod testing;
pub mod runtime;
pub mod spec;
pub mod volumes;

pub use config::{AgentConfig, ImageGcThresholds, PressureThresholds, ServerAddress, TlsFiles, host_name};
pub use error::AgentError;

use std::sync::Arc;

use runtime::Docker;
use tokio_util::sync::CancellationToken;

/// Where an agent with this data folder answers on its machine: the service `skep.v1.Local`, on a Unix socket of mode 0600.
pub fn local_socket(data_dir: &std::path::Path) -> std::path::PathBuf {
    local::path(data_dir)
}

/// Runs an agent until `shutdown` is cancelled. Containers go on running after it has ended.
///
/// # Errors
/// Where the configuration, the data folder or the engine's address cannot be used at all, or the cluster does not let the
/// machine in.
pub async fn run(config: AgentConfig, shutdown: CancellationToken) -> Result<(), AgentError> {
    std::fs::create_dir_all(&config.data_dir)
        .map_err(|source| AgentError::DataDir { path: config.data_dir.clone(), source })?;
    let host = config.docker_host.clone().or_else(|| std::env::var("DOCKER_HOST").ok());
    let runtime = host.filter(|host| !host.is_empty()).map_or_else(Docker::default, |host| Docker::new(&host));
    agent::run(config, Arc::new(runtime), shutdown).await
}
