//! A container to make, with every question answered.

use std::{collections::BTreeMap, net::Ipv4Addr, path::PathBuf};

use super::ContainerId;

/// A container to make, with every question answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ContainerSpec {
    /// Unique in the engine.
    pub name: String,
    /// Put on it, to find it again by.
    pub labels: BTreeMap<String, String>,
    /// Image name or id; it is there.
    pub image: String,
    /// Replaces the image's entry point where not empty.
    pub entrypoint: Vec<String>,
    /// Replaces the image's command where not empty (and clears it where `entrypoint` is set).
    pub command: Vec<String>,
    /// `NAME=value`.
    pub env: Vec<String>,
    /// Empty: the image's.
    pub working_dir: String,
    /// `uid[:gid]`; empty: the image's.
    pub user: String,
    /// More groups.
    pub groups: Vec<i64>,
    /// Empty where it shares another container's network.
    pub hostname: String,
    /// Where its packets go.
    pub network: NetworkMode,
    /// Ports of the node that lead to it.
    pub ports: Vec<PortMapping>,
    /// Name servers, search domains, options; empty: the engine's choice.
    pub dns: (Vec<String>, Vec<String>, Vec<String>),
    /// `name:address`, for /etc/hosts.
    pub extra_hosts: Vec<String>,
    /// Files it sees.
    pub mounts: Vec<Mount>,
    /// Device files of the node that it may use, at the same paths; a folder stands for the devices in it.
    pub devices: Vec<String>,
    /// Ids of the GPUs that it may use.
    pub gpus: Vec<String>,
    /// CPUs that it runs on, such as `0-2,5`; empty: any.
    pub cpus: String,
    /// Rights to add.
    pub cap_add: Vec<String>,
    /// Rights to drop.
    pub cap_drop: Vec<String>,
    /// All the host's rights.
    pub privileged: bool,
    /// Only volumes are writable.
    pub read_only_root: bool,
    /// Such as `no-new-privileges`, `seccomp=unconfined`.
    pub security_opt: Vec<String>,
    /// Kernel settings.
    pub sysctls: BTreeMap<String, String>,
    /// `""`, `host`, or `container:ID`.
    pub pid_mode: String,
    /// `""`, `host`, or `container:ID`.
    pub ipc_mode: String,
    /// Relative weight, 1024 a CPU; 0: the engine's choice.
    pub cpu_shares: i64,
    /// Thousandths of a CPU at most; 0: no bound.
    pub cpu_limit_millis: i64,
    /// Bytes at most; 0: no bound.
    pub memory_limit_bytes: i64,
    /// Who is killed first when memory runs out, -1000 to 1000.
    pub oom_score_adj: i64,
    /// Keep standard input open.
    pub stdin: bool,
    /// Close it after the first client.
    pub stdin_once: bool,
    /// Give it a terminal.
    pub tty: bool,
    /// Bytes of log kept, in two files.
    pub log_bytes_max: u64,
}

/// Where a container's packets go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum NetworkMode {
    /// Nowhere.
    #[default]
    None,
    /// The node's own network.
    Host,
    /// A bridge, with a fixed address.
    Bridge {
        /// Its name in the engine.
        network: String,
        /// The pod's address.
        address: Ipv4Addr,
    },
    /// Another container's network.
    Container(ContainerId),
}

/// A port of the node that leads to a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortMapping {
    /// Port in the container.
    pub container: u16,
    /// Port of the node.
    pub host: u16,
    /// Address of the node; empty: all.
    pub host_ip: String,
    /// `tcp`, `udp` or `sctp`.
    pub protocol: &'static str,
}

/// Files a container sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Path on the node; it is there.
    pub source: PathBuf,
    /// Path in the container.
    pub target: String,
    /// No writing.
    pub read_only: bool,
    /// `rprivate`, `rslave` or `rshared`.
    pub propagation: &'static str,
}
