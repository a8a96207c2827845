//! The node daemon: runs pods on the Docker engine of its machine.
//!
//! A session client brings assignments and carries reports; a pure `step` moves each pod forward by one step at a time; executors
//! do what it says through the trait [`runtime::Runtime`]. What is observed is rebuilt from container labels, so an agent's restart
//! touches nothing.

mod agent;
mod blocking;
mod check;
mod checkpoint;
mod clock;
mod config;
mod cpus;
mod devices;
mod engine;
mod error;
mod eviction;
mod gc;
mod images;
mod ipam;
mod link;
mod local;
mod lock;
mod manager;
mod membership;
mod node;
mod objects;
mod outbox;
mod pod;
mod probe;
mod roster;
pub mod runtime;
mod session;
mod shared;
pub mod spec;
mod streams;
#[cfg(test)]
mod testing;
pub mod volumes;
mod worker;

pub use config::{AgentConfig, CpuManager, ImageGcThresholds, ServerAddress, TlsFiles, host_name};
pub use devices::{Declared, DeviceDeclaration, GPU, Gpu, GpuConfig, parse_cpu_list};
pub use error::AgentError;
pub use eviction::{Amount, EvictionConfig, Signal, SoftThreshold, parse_grace_periods, parse_thresholds};

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
    std::fs::create_dir_all(&config.data_dir).map_err(|source| AgentError::DataDir {
        path: config.data_dir.clone(),
        source,
    })?;
    let host = config
        .docker_host
        .clone()
        .or_else(|| std::env::var("DOCKER_HOST").ok());
    let runtime = host
        .filter(|host| !host.is_empty())
        .map_or_else(Docker::default, |host| Docker::new(&host));
    agent::run(config, Arc::new(runtime), shutdown).await
}

/// As [`run`], with this engine.
///
/// # Errors
/// As [`run`].
pub async fn run_with(
    config: AgentConfig,
    runtime: Arc<dyn runtime::Runtime>,
    shutdown: CancellationToken,
) -> Result<(), AgentError> {
    agent::run(config, runtime, shutdown).await
}
