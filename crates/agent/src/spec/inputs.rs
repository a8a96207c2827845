//! What a container's spec is made from besides the pod.

use std::{fmt, net::Ipv4Addr};

use super::{Dns, RunAsNonRootError};
use crate::runtime::{ImageInfo, Mount};

/// Everything about one run of a container that the pod does not say.
#[derive(Clone, Debug)]
pub struct Inputs<'a> {
    /// The cluster's id.
    pub cluster: &'a str,
    /// The node's name.
    pub node: &'a str,
    /// Init container or not.
    pub kind: ContainerKind,
    /// How often the container was started before; 0 for the first run.
    pub attempt: u32,
    /// Its variables, from [`super::env::resolve`]; the engine's own are none.
    pub env: &'a [(String, String)],
    /// The image, which is there.
    pub image: &'a ImageInfo,
    /// From [`crate::volumes::Volumes::mounts`].
    pub mounts: Vec<Mount>,
    /// Name of the node's bridge.
    pub network: &'a str,
    /// The pod's address; unused on the node's network.
    pub address: Option<Ipv4Addr>,
    /// Engine's id of the pod's holder; `None` for pods without one.
    pub holder: Option<&'a str>,
    /// Text of the Localhost seccomp profile that [`super::localhost_profile`] names.
    pub seccomp_profile: Option<&'a str>,
    /// Where the node looks names up.
    pub dns: &'a Dns,
    /// Devices and CPUs.
    pub grant: Grant,
    /// The node's memory in bytes, for OOM scores.
    pub node_memory_bytes: i64,
    /// Bytes of log kept for the container.
    pub log_bytes_max: u64,
}

/// What a container is given by the piece: devices, and CPUs of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// Device files of the node.
    pub paths: Vec<String>,
    /// Ids of GPUs.
    pub gpus: Vec<String>,
    /// CPUs that it runs on, such as `0-2,5`; empty: any.
    pub cpus: String,
    /// Nobody else runs on these CPUs.
    pub own_cpus: bool,
    /// Variables that tell the container what it has.
    pub env: Vec<(String, String)>,
    /// What the whole pod has, to find it again by; empty for nothing.
    pub label: String,
}

/// What a container is to its pod. Written as `init`, `app`, `holder`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ContainerKind {
    /// Runs to its end before the others start.
    Init,
    /// One of the pod's containers.
    #[default]
    App,
    /// Holds the namespaces that the others share.
    Holder,
}

impl ContainerKind {
    /// As it stands in labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::App => "app",
            Self::Holder => "holder",
        }
    }

    /// From a label.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Init, Self::App, Self::Holder]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}

impl fmt::Display for ContainerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a container cannot be made as the pod wants it. Status reason: `CreateContainerConfigError`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// It must not run as root, and would or might.
    #[error(transparent)]
    RunAsNonRoot(#[from] RunAsNonRootError),
    /// The pod shares namespaces, and its holder is missing.
    #[error("the pod's containers share namespaces, but nothing holds them yet")]
    NoHolder,
    /// The pod is not on the node's network, and has no address.
    #[error("the pod has no address yet")]
    NoAddress,
    /// A Localhost seccomp profile was not read.
    #[error("cannot find the seccomp profile `{0}` in the node's seccomp folder")]
    NoSeccompProfile(String),
    /// Kernel settings on the node's network would be the node's own.
    #[error("sysctl `{0}` is not allowed on the node's own namespaces: drop it, or hostNetwork and hostIPC")]
    HostSysctl(String),
}
