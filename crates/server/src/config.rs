//! What a server must be told before it starts.

use std::{net::SocketAddr, path::PathBuf};

/// What a server must be told before it starts.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// The folder of the log and the snapshots; made where it is missing.
    pub data_dir: PathBuf,
    /// The Unix socket to serve on, mode 0600. A socket that nobody answers on is replaced.
    pub socket: PathBuf,
    /// A loopback address to serve on as well, port 0 for any; calls there need the token.
    pub listen: Option<SocketAddr>,
    /// The bearer token that calls over TCP must carry (`authorization: Bearer TOKEN`).
    pub token: String,
    /// Addresses for the pods of all nodes; each node gets a /24 of them.
    pub pod_cidr: String,
}

impl ServerConfig {
    /// A server on `data_dir` that serves on `data_dir/skep.sock` alone, with pods in 10.244.0.0/16.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        let data_dir = data_dir.into();
        Self {
            socket: data_dir.join("skep.sock"),
            data_dir,
            listen: None,
            token: String::new(),
            pod_cidr: "10.244.0.0/16".to_owned(),
        }
    }
}
