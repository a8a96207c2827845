//! Why a server ended or did not start.

use std::{io, net::SocketAddr, path::PathBuf};

use skep_store::OpenError;

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
    /// The socket cannot be listened on.
    #[error("cannot listen on {}: {why}", path.display())]
    Socket {
        /// Its path.
        path: PathBuf,
        /// What stands against it, and what to do.
        why: String,
    },
    /// The TCP address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// As configured.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// A folder or a file cannot be made, read or removed.
    #[error("cannot use {}", path.display())]
    Folder {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The store cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The first writes to the store failed.
    #[error("cannot prepare the cluster: {0}")]
    Bootstrap(String),
    /// Certificates, keys or tokens are not as they must be.
    #[error("{0}")]
    Trust(String),
    /// The cluster does not take this server.
    #[error("cannot join the cluster: {0}")]
    Join(String),
    /// The server was taken out of its cluster: its folder was set aside.
    #[error("this server is none of the cluster's any more: its data was set aside")]
    Left,
    /// The store stopped because its disk failed.
    #[error("the store has stopped because its disk failed ({0}): see to the disk and start again")]
    Store(String),
    /// A part of the server ended unexpectedly.
    #[error("{part} ended unexpectedly: {why}")]
    Part {
        /// Which part.
        part: &'static str,
        /// Why, in words.
        why: String,
    },
}
