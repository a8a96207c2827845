//! What a server must be told before it starts.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use skep_controllers::{Rebalancing, Scoring};
use skep_trust::Wire;
use tokio::sync::Notify;

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
    /// How long pods that say nothing about it stay on a node that is lost; for ever where `None`.
    pub eviction: Option<Duration>,
    /// How nodes are filled that are in no pool, or in one that does not say.
    pub scoring: Scoring,
    /// Whether and how pods are moved that would be better off elsewhere.
    pub rebalancing: Rebalancing,
    /// What makes it one of several servers; `None` for a server that is alone, on one machine.
    pub cluster: Option<ClusterConfig>,
    /// The way to and from other machines; TCP, but in simulations.
    pub wire: Wire,
    /// Rings where the server's key waits for its passphrase.
    pub locked: Option<Arc<Notify>>,
}

/// What makes a server one of several. Each of them must be told the same about pods.
#[derive(Clone, Debug)]
pub struct ClusterConfig {
    /// The folder of its certificates and of what it knows of itself; made where it is missing.
    pub home: PathBuf,
    /// What it does in a folder that is no server's yet.
    pub begin: Begin,
    /// Its name, for people; no two servers have the same.
    pub name: String,
    /// The address to serve on with TLS, port 0 for any.
    pub listen: SocketAddr,
    /// Where others reach it, `host:port`; port 0 stands for the one that it listens on.
    pub advertise: String,
    /// Stay a learner until promoted.
    pub learner: bool,
    /// The time between two backups that the store makes by itself; none where `None`.
    pub backup_interval: Option<Duration>,
    /// How many of those are kept.
    pub backups_kept: usize,
}

/// What a server does in a folder that is no server's yet. In any other it goes on as the server that it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begin {
    /// Refuses to start.
    Resume,
    /// Makes a new cluster.
    Init,
    /// Joins a cluster.
    Join {
        /// Servers of it, `host:port`; they are tried in turn.
        servers: Vec<String>,
        /// A join token for servers.
        token: String,
    },
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
            eviction: Some(Duration::from_secs(30)),
            scoring: Scoring::default(),
            rebalancing: Rebalancing::default(),
            cluster: None,
            locked: None,
            wire: Wire::default(),
        }
    }
}
