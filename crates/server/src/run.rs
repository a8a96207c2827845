//! Starts the parts of a server, watches over them and ends them together.

use std::{net::SocketAddr, path::PathBuf};

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::ServerConfig;

/// Where a server that answers calls can be reached.
#[derive(Clone, Debug)]
pub struct Ready {
    /// Its Unix socket.
    pub socket: PathBuf,
    /// Its TCP address, where it was told to listen on one.
    pub address: Option<SocketAddr>,
    /// The cluster's id, the same for all of its servers and for ever.
    pub cluster_id: String,
}

/// Why a server ended or did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// A setting is not possible.
    #[error("{0}")]
    Config(String),
    /// Another server answers on the socket.
    #[error("a server is already running on {}", .0.display())]
    AlreadyRunning(PathBuf),
}

/// Runs a server until `shutdown` is cancelled; tells `ready` once it answers calls.
///
/// # Errors
/// Where a setting is impossible, the data folder cannot be used, an address is taken, or a part of the server fails.
pub async fn run(
    config: ServerConfig,
    ready: oneshot::Sender<Ready>,
    shutdown: CancellationToken,
) -> Result<(), ServerError> {
    drop((config, ready, shutdown));
    Err(ServerError::Config("the doors are not open yet".to_owned()))
}
