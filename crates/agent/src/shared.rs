//! What all parts of one agent have in common.

use std::{
    net::Ipv4Addr,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize},
    },
};

use skep_api::{Pod, ResourceList, proto::EventReport};
use tokio::sync::{Notify, Semaphore, watch};

use crate::{
    AgentConfig,
    checkpoint::{Checkpoint, Owner},
    clock,
    devices::Devices,
    eviction::Pressures,
    images::Images,
    ipam::Ipam,
    link::Link,
    objects::Objects,
    outbox::Outbox,
    pod::Note,
    probe::Prober,
    roster::Roster,
    runtime::Runtime,
    spec::{Dns, Facts},
    volumes::Volumes,
};

/// What all parts of one agent have in common.
pub(crate) struct Shared {
    pub(crate) config: AgentConfig,
    pub(crate) runtime: Arc<dyn Runtime>,
    pub(crate) volumes: Volumes,
    pub(crate) objects: Objects,
    pub(crate) images: Images,
    pub(crate) outbox: Outbox,
    /// What is kept on the disk, for a start without a server.
    pub(crate) checkpoint: Arc<Checkpoint>,
    /// The pods of this node, for who asks on the machine.
    pub(crate) roster: Roster,
    /// Whether a session stands.
    pub(crate) link: Link,
    pub(crate) prober: Prober,
    /// What is given by the piece, and who has it.
    pub(crate) devices: Devices,
    /// Containers that may be made and started at the same time.
    pub(crate) starts: Semaphore,
    /// The cluster's id, once a server or the checkpoint has told it.
    cluster: OnceLock<String>,
    cluster_known: watch::Sender<bool>,
    /// The engine may not lower OOM scores here; asking again costs a failed start each time.
    pub(crate) oom_score_refused: AtomicBool,
    /// Counts what may change the engine's list of images.
    pub(crate) image_changes: AtomicU64,
    pub(crate) machine: Machine,
    /// GPUs that were told of as useless without the engine's runtime for them.
    pub(crate) useless_gpus: AtomicUsize,
    pressures: Mutex<Pressures>,
    /// Told when there is something new to say of the node.
    pub(crate) node_changed: Notify,
    net: Mutex<Net>,
}

/// What does not change while the agent runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Machine {
    /// The node's address; empty where it has none.
    pub(crate) host_ip: String,
    /// What pods may ask for.
    pub(crate) allocatable: ResourceList,
    /// Bytes of memory.
    pub(crate) memory_bytes: u64,
    /// Where the node looks names up.
    pub(crate) dns: Dns,
}

#[derive(Debug)]
struct Net {
    block: Option<(String, Ipam)>,
    bridge: Bridge,
}

/// The bridge that pods live on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Bridge {
    /// Nobody has tried to set it up yet.
    #[default]
    Untried,
    /// It is as wanted.
    Ready,
    /// It is not there, and why.
    Failed(String),
}

impl Shared {
    pub(crate) fn new(
        config: AgentConfig,
        runtime: Arc<dyn Runtime>,
        machine: Machine,
        prober: Prober,
        devices: Devices,
    ) -> Self {
        Self {
            volumes: Volumes::new(&config.data_dir),
            objects: Objects::default(),
            images: Images::new(Arc::clone(&runtime)),
            outbox: Outbox::default(),
            checkpoint: Arc::default(),
            roster: Roster::default(),
            link: Link::new(clock::now()),
            starts: Semaphore::new(config.parallel_starts.max(1)),
            cluster: OnceLock::new(),
            cluster_known: watch::channel(false).0,
            oom_score_refused: AtomicBool::new(false),
            image_changes: AtomicU64::new(0),
            useless_gpus: AtomicUsize::new(0),
            pressures: Mutex::default(),
            node_changed: Notify::new(),
            devices,
            net: Mutex::new(Net {
                block: None,
                bridge: Bridge::Untried,
            }),
            config,
            runtime,
            machine,
            prober,
        }
    }

    /// The cluster's id; empty before a server has told it, and then nothing is started.
    pub(crate) fn cluster(&self) -> &str {
        self.cluster.get().map_or("", String::as_str)
    }

    /// The node belongs to this cluster from now on.
    ///
    /// # Errors
    /// The id of the cluster that it belongs to already.
    pub(crate) fn join_cluster(&self, id: &str) -> Result<(), String> {
        let ours = self.cluster.get_or_init(|| id.to_owned());
        if ours != id {
            return Err(ours.clone());
        }
        if !self.cluster_known.send_replace(true) {
            self.checkpoint.own(&Owner {
                cluster_id: id.to_owned(),
                node_name: self.config.node_name.clone(),
            });
        }
        Ok(())
    }

    /// Waits until the cluster, and with it the labels of this node's containers, is known.
    pub(crate) async fn cluster_known(&self) {
        let mut known = self.cluster_known.subscribe();
        // The sender lives as long as this does.
        drop(known.wait_for(|known| *known).await);
    }

    /// Name of the bridge in the engine. Several nodes and clusters may share one engine.
    pub(crate) fn network(&self) -> String {
        let cluster: String = self
            .cluster()
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .take(8)
            .collect();
        format!("skep-{}-{cluster}", self.config.node_name)
    }

    /// Folder of Localhost seccomp profiles.
    pub(crate) fn seccomp_dir(&self) -> PathBuf {
        self.config.data_dir.join("seccomp")
    }

    /// What a pod may ask of its node.
    pub(crate) fn facts(&self, pod_address: Option<Ipv4Addr>) -> Facts {
        Facts {
            node_name: self.config.node_name.clone(),
            host_ip: self.machine.host_ip.clone(),
            pod_address,
            allocatable: self.machine.allocatable.clone(),
        }
    }

    /// Tells of something that happened to a pod.
    pub(crate) fn event(&self, pod: &Pod, note: Note) {
        let meta = &pod.metadata;
        let is_init = pod
            .spec
            .init_containers
            .iter()
            .any(|container| container.name == note.container);
        let field_path = match (note.container.as_str(), is_init) {
            ("", _) => String::new(),
            (name, true) => format!("spec.initContainers{{{name}}}"),
            (name, false) => format!("spec.containers{{{name}}}"),
        };
        self.outbox.event(EventReport {
            kind: "Pod".to_owned(),
            namespace: meta.namespace.clone(),
            name: meta.name.clone(),
            uid: meta.uid.clone(),
            field_path,
            warning: note.warning,
            reason: note.reason.to_owned(),
            message: note.message,
            time_millis: clock::now().as_millis(),
        });
    }

    /// Tells of something that happened to the node.
    pub(crate) fn node_event(&self, warning: bool, reason: &str, message: String) {
        self.outbox.event(EventReport {
            kind: "Node".to_owned(),
            name: self.config.node_name.clone(),
            warning,
            reason: reason.to_owned(),
            message,
            time_millis: clock::now().as_millis(),
            ..EventReport::default()
        });
    }

    /// What the node is short of.
    pub(crate) fn pressures(&self) -> Pressures {
        let pressures = self.pressures.lock();
        pressures.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The node is short of these.
    pub(crate) fn set_pressures(&self, pressures: Pressures) {
        let known = self.pressures.lock();
        let mut known = known.unwrap_or_else(PoisonError::into_inner);
        if *known != pressures {
            *known = pressures;
            self.node_changed.notify_one();
        }
    }

    /// The node's addresses, from the first podCIDR on; false where there was one already.
    pub(crate) fn set_ipam(&self, cidr: &str, ipam: Ipam) -> bool {
        let mut net = self.net();
        let is_new = net.block.is_none();
        net.block.get_or_insert_with(|| (cidr.to_owned(), ipam));
        is_new
    }

    /// The node's podCIDR and its own address in it.
    pub(crate) fn block(&self) -> Option<(String, Ipv4Addr)> {
        self.net()
            .block
            .as_ref()
            .map(|(cidr, ipam)| (cidr.clone(), ipam.gateway()))
    }

    /// Whether the bridge is as wanted; true where that is news.
    pub(crate) fn set_bridge(&self, bridge: &Bridge) -> bool {
        let is_news = std::mem::replace(&mut self.net().bridge, bridge.clone()) != *bridge;
        if is_news {
            self.node_changed.notify_one();
        }
        is_news
    }

    /// Whether the bridge is as wanted: pods can have addresses once it is.
    pub(crate) fn bridge(&self) -> Bridge {
        self.net().bridge.clone()
    }

    /// The address that a pod has from before.
    pub(crate) fn claim_address(&self, uid: &str, address: Ipv4Addr) -> Option<Ipv4Addr> {
        self.net().block.as_mut()?.1.take(uid, Some(address)).ok()
    }

    /// An address for a pod.
    ///
    /// # Errors
    /// In words, where there is none.
    pub(crate) fn take_address(&self, uid: &str, wanted: Option<Ipv4Addr>) -> Result<Ipv4Addr, String> {
        let Net { block, bridge } = &mut *self.net();
        match (block, bridge) {
            (None, _) => Err("the node has no podCIDR yet".to_owned()),
            (_, Bridge::Untried) => Err("the node has no bridge for pods yet".to_owned()),
            (_, Bridge::Failed(why)) => Err(format!("the node has no bridge for pods: {why}")),
            (Some((_, ipam)), Bridge::Ready) => ipam.take(uid, wanted).map_err(|error| error.to_string()),
        }
    }

    /// Gives a pod's address back.
    pub(crate) fn free_address(&self, uid: &str) {
        if let Some((_, ipam)) = &mut self.net().block {
            ipam.free(uid);
        }
    }

    fn net(&self) -> MutexGuard<'_, Net> {
        self.net.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
