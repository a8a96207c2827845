//! The container engine as the agent needs it: one narrow trait. What to run is decided elsewhere; nothing here has a policy.

use std::{collections::BTreeMap, net::Ipv4Addr, path::PathBuf, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use skep_api::Time;
use tokio::sync::mpsc;

/// The engine's id of a container.
pub type ContainerId = String;

/// The engine. Every call is safe to repeat: creating what is there, starting what runs, stopping or removing what is gone succeed.
#[async_trait]
pub trait Runtime: Send + Sync + 'static {
    /// Version and place of the engine; also serves as "is it there?".
    async fn info(&self) -> Result<EngineInfo, RuntimeError>;

    /// Makes the bridge that pods live on, or checks that it is as wanted.
    async fn ensure_network(&self, network: &Network) -> Result<(), RuntimeError>;

    /// Fetches an image.
    async fn pull(&self, image: &str, credentials: Option<&Credentials>) -> Result<(), RuntimeError>;

    /// An image the engine has; `None` where it has not.
    async fn image(&self, image: &str) -> Result<Option<ImageInfo>, RuntimeError>;

    /// All images the engine has.
    async fn images(&self) -> Result<Vec<ImageInfo>, RuntimeError>;

    /// Removes an image that no container uses.
    async fn remove_image(&self, id: &str) -> Result<(), RuntimeError>;

    /// Makes a container without starting it. Where one of this name exists, answers with its id.
    async fn create(&self, spec: &ContainerSpec) -> Result<ContainerId, RuntimeError>;

    /// Starts it.
    async fn start(&self, id: &str) -> Result<(), RuntimeError>;

    /// Tells it to end, and kills it after `grace`. Returns when it has ended.
    async fn stop(&self, id: &str, grace: Duration) -> Result<(), RuntimeError>;

    /// Removes it with its log; kills it where it runs.
    async fn remove(&self, id: &str) -> Result<(), RuntimeError>;

    /// One container; `None` where it is gone.
    async fn container(&self, id: &str) -> Result<Option<Container>, RuntimeError>;

    /// All containers that carry these labels, ended ones too.
    async fn containers(&self, labels: &BTreeMap<String, String>) -> Result<Vec<Container>, RuntimeError>;

    /// What happens to containers that carry these labels from now on. Ends when the engine goes away.
    async fn events(
        &self,
        labels: &BTreeMap<String, String>,
    ) -> Result<BoxStream<'static, ContainerEvent>, RuntimeError>;

    /// What it wrote.
    async fn logs(
        &self,
        id: &str,
        options: &LogOptions,
    ) -> Result<BoxStream<'static, Result<Output, RuntimeError>>, RuntimeError>;

    /// Runs a command in it.
    async fn exec(&self, id: &str, spec: &ExecSpec) -> Result<Exec, RuntimeError>;
}

/// Why the engine did not do it. Messages are the engine's own words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuntimeError {
    /// The engine does not answer; worth a retry.
    #[error("the engine does not answer: {0}")]
    Unavailable(String),
    /// No such container or image.
    #[error("{0}")]
    NotFound(String),
    /// The registry wants other credentials.
    #[error("{0}")]
    Unauthorized(String),
    /// The engine refused or failed.
    #[error("{0}")]
    Engine(String),
}

/// Version and place of the engine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EngineInfo {
    /// Such as `20.10.24`.
    pub version: String,
    /// Where images and containers lie on disk.
    pub root: PathBuf,
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

/// A container the engine has.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Container {
    /// The engine's id.
    pub id: ContainerId,
    /// Its name in the engine.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Image name it was made from.
    pub image: String,
    /// `sha256:…`
    pub image_id: String,
    /// What it is doing.
    pub state: RunState,
    /// The first process, seen from the node; 0 where none runs.
    pub pid: i32,
}

/// What a container is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum RunState {
    /// Made, not started yet.
    #[default]
    Created,
    /// Runs.
    Running {
        /// Since when.
        started: Time,
    },
    /// Ended.
    Exited {
        /// Exit code; 128 plus the signal's number where a signal ended it.
        code: i32,
        /// Ended for lack of memory.
        oom_killed: bool,
        /// What the engine says of it, such as why it could not be started.
        message: String,
        /// When it started, if it did.
        started: Option<Time>,
        /// When it ended.
        finished: Time,
    },
}

/// Something that happened to a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerEvent {
    /// Which.
    pub id: ContainerId,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// What.
    pub kind: ContainerEventKind,
}

/// What happened to a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContainerEventKind {
    /// It was started.
    Started,
    /// It ended.
    Died,
    /// The kernel ended it or one of its processes for lack of memory.
    OutOfMemory,
    /// It was removed.
    Removed,
}

/// Which part of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// Go on as it writes.
    pub follow: bool,
    /// Only the last lines.
    pub tail_lines: Option<u64>,
    /// Only what came after.
    pub since: Option<Time>,
    /// Put the time before each line.
    pub timestamps: bool,
}

/// What a process wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// To standard output.
    Stdout(Bytes),
    /// To standard error.
    Stderr(Bytes),
}

/// A command to run in a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecSpec {
    /// Program and arguments.
    pub command: Vec<String>,
    /// Give it standard input.
    pub stdin: bool,
    /// Give it a terminal.
    pub tty: bool,
    /// The terminal's columns and rows, where known.
    pub size: Option<(u16, u16)>,
}

/// A command that runs in a container. Dropping it lets go of its streams.
pub struct Exec {
    /// What it is told; dropping the sender closes its standard input.
    pub input: mpsc::Sender<ExecInput>,
    /// What it wrote; ends when it has ended.
    pub output: BoxStream<'static, Result<Output, RuntimeError>>,
    /// Its exit code, after `output` has ended.
    pub exit_code: tokio::sync::oneshot::Receiver<Result<i32, RuntimeError>>,
}

/// What a running command is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExecInput {
    /// Bytes for its standard input.
    Stdin(Bytes),
    /// Its terminal has this many columns and rows now.
    Resize(u16, u16),
}
