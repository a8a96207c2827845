//! The engine itself, its network and its images.

use std::{collections::BTreeMap, net::Ipv4Addr, path::PathBuf};

/// Version and place of the engine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EngineInfo {
    /// Such as `20.10.24`.
    pub version: String,
    /// Where images and containers lie on disk.
    pub root: PathBuf,
    /// Names of the runtimes that start its containers, such as `runc` and `nvidia`.
    pub runtimes: Vec<String>,
}

/// The bridge that pods live on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// Its name in the engine.
    pub name: String,
    /// Its addresses, such as `10.244.0.0/24`.
    pub cidr: String,
    /// The node's own address on it.
    pub gateway: Option<Ipv4Addr>,
    /// Put on it, to know it by.
    pub labels: BTreeMap<String, String>,
}

/// A user of an image registry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// Registry host.
    pub server: String,
    /// User name.
    pub username: String,
    /// Password or token.
    pub password: String,
}

/// What a container uses of its node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes of memory that cannot be had back without swapping.
    pub memory_bytes: u64,
    /// Processes and threads.
    pub pids: u64,
    /// Bytes on disk: its own files and its log.
    pub disk_bytes: u64,
}

/// An image the engine has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageInfo {
    /// `sha256:…`
    pub id: String,
    /// Tags and digests it is known by.
    pub names: Vec<String>,
    /// Bytes on disk.
    pub size_bytes: u64,
    /// User in the image's config; empty means root.
    pub user: String,
}
