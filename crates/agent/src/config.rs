//! How an agent is set up: which node it is, where it keeps files, which server it dials, and its thresholds.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    time::Duration,
};

use skep_api::{ResourceList, Taint};
use skep_trust::Wire;

use crate::{
    devices::{DeviceDeclaration, GpuConfig},
    eviction::EvictionConfig,
};

/// How an agent is set up. Start from [`AgentConfig::default`] and change what differs.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentConfig {
    /// Name of the Node object; the machine's host name by default.
    pub node_name: String,
    /// Folder for pod volumes and other files of the agent; made where missing.
    pub data_dir: PathBuf,
    /// The servers to dial.
    pub server: ServerAddress,
    /// The engine, such as `unix:///run/docker.sock`; `DOCKER_HOST` or the usual socket where not stated.
    pub docker_host: Option<String>,
    /// Labels that the node registers with, besides the well-known ones.
    pub labels: BTreeMap<String, String>,
    /// Taints that the node registers with.
    pub taints: Vec<Taint>,
    /// Pods that the node takes at most.
    pub pods_max: u32,
    /// `cpu`, `memory` and `ephemeral-storage` kept back from pods.
    pub system_reserved: ResourceList,
    /// Devices that the node offers, besides GPUs.
    pub devices: Vec<DeviceDeclaration>,
    /// GPUs that the node offers.
    pub gpus: GpuConfig,
    /// Whether containers may have CPUs to themselves.
    pub cpu_manager: CpuManager,
    /// CPUs kept back from pods; `None`: the first ones, as many as `system_reserved` says.
    pub reserved_cpus: Option<BTreeSet<u32>>,
    /// Where `proc` and `sys` are found.
    pub system_root: PathBuf,
    /// When pods are evicted for what the node runs short of.
    pub eviction: EvictionConfig,
    /// When unused images are removed.
    pub image_gc: ImageGcThresholds,
    /// Containers that are made and started at the same time, over all pods.
    pub parallel_starts: usize,
    /// Bytes of log that the engine keeps of one container.
    pub log_bytes_max: u64,
    /// How often all containers are compared with what is wanted although nothing told of a change.
    pub resync: Duration,
    /// How long a server may take, after the agent's start, to say what is to run; then the checkpoint is taken for it.
    pub offline_after: Duration,
    /// The way to servers over TLS; TCP, but in simulations.
    pub wire: Wire,
}

impl Default for AgentConfig {
    fn default() -> Self {
        Self {
            node_name: host_name(),
            data_dir: PathBuf::from("/var/lib/skep/agent"),
            server: ServerAddress::Unix(PathBuf::from("/run/skep/skep.sock")),
            docker_host: None,
            labels: BTreeMap::new(),
            taints: Vec::new(),
            pods_max: 110,
            system_reserved: ResourceList::new(),
            devices: Vec::new(),
            gpus: GpuConfig::default(),
            cpu_manager: CpuManager::None,
            reserved_cpus: None,
            system_root: PathBuf::from("/"),
            eviction: EvictionConfig::default(),
            image_gc: ImageGcThresholds::default(),
            parallel_starts: 8,
            log_bytes_max: 20 << 20,
            resync: Duration::from_secs(60),
            offline_after: Duration::from_secs(3),
            wire: Wire::default(),
        }
    }
}

/// Whether containers may have CPUs to themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CpuManager {
    /// Every container runs on all CPUs.
    #[default]
    None,
    /// A container that asks for whole CPUs, in a pod of the class Guaranteed, has them to itself; the others share the rest.
    Static,
}

/// Where the servers are.
#[derive(Clone, PartialEq, Eq)]
pub enum ServerAddress {
    /// A Unix socket of this machine.
    Unix(PathBuf),
    /// An `http://` address, and the token that is shown there.
    Uri {
        /// Such as `http://127.0.0.1:7443`.
        uri: String,
        /// Sent as `authorization: Bearer …`; nothing is sent where empty.
        token: String,
    },
    /// Any of several servers, over mutual TLS.
    Tls {
        /// `host:port` of one server or more. Servers heard of later are kept with the files, and dialled as well; may be
        /// empty once the node has joined.
        addresses: Vec<String>,
        /// The node's key and certificate, and whom it trusts.
        files: TlsFiles,
        /// Lets the node in where it has no certificate of this cluster yet; not looked at otherwise.
        join_token: Option<String>,
    },
}

/// Where a node keeps its key, its certificate, the CAs it trusts, and the servers it has heard of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// A folder for nothing else; made with mode 0700 where missing.
    pub dir: PathBuf,
}

impl TlsFiles {
    /// The usual place in an agent's data folder.
    pub fn in_data_dir(data_dir: &std::path::Path) -> Self {
        Self {
            dir: data_dir.join("identity"),
        }
    }

    /// True once the node has joined a cluster; also where its files cannot be read now.
    pub fn has_joined(&self) -> bool {
        !matches!(skep_trust::Credentials::load(&self.dir), Ok(None))
    }

    /// The servers heard of last, one a line.
    pub(crate) fn servers(&self) -> PathBuf {
        self.dir.join("servers")
    }
}

impl std::fmt::Debug for ServerAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "Unix({})", path.display()),
            Self::Uri { uri, .. } => write!(f, "Uri({uri})"),
            Self::Tls { addresses, files, .. } => write!(f, "Tls({addresses:?}, {})", files.dir.display()),
        }
    }
}

/// When unused images are removed, in percent of the engine's disk in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageGcThresholds {
    /// Removal starts above this.
    pub high_percent: u8,
    /// Removal ends below this.
    pub low_percent: u8,
    /// Images seen for less time than this stay.
    pub age_min: Duration,
}

impl Default for ImageGcThresholds {
    fn default() -> Self {
        Self {
            high_percent: 85,
            low_percent: 80,
            age_min: Duration::from_secs(120),
        }
    }
}

/// The machine's name in lower case, as node names are written; `localhost` where it has none.
pub fn host_name() -> String {
    let name = nix::unistd::gethostname()
        .ok()
        .and_then(|name| name.into_string().ok())
        .unwrap_or_default();
    let name = name.trim().to_ascii_lowercase();
    if name.is_empty() {
        "localhost".to_owned()
    } else {
        name
    }
}
