//! Why an agent ended.

use std::path::PathBuf;

use crate::runtime::RuntimeError;

/// Why an agent ended. An engine or a server that is away never ends it; both are waited for.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The configuration makes no sense.
    #[error("{0}")]
    Config(String),
    /// The data folder cannot be used.
    #[error("cannot use the data folder {path}; check that it is writable")]
    DataDir {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The engine's address is not usable at all.
    #[error("cannot reach the container engine; check docker_host")]
    Engine(#[source] RuntimeError),
    /// Another agent has the data folder.
    #[error("another agent uses the data folder {0}: stop it, or choose another folder")]
    Taken(PathBuf),
    /// The node's certificate, key or join token cannot be used.
    #[error(transparent)]
    Trust(#[from] skep_trust::TrustError),
    /// No server lets the node in.
    #[error("the cluster does not let this machine in")]
    Join(#[from] skep_trust::EnrollError),
    /// A part of the agent ended on its own; this is a bug.
    #[error("the agent's {0} ended unexpectedly")]
    PartEnded(&'static str),
}
