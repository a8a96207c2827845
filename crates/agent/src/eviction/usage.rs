//! What the pods of this node use.

use std::{collections::BTreeMap, os::unix::fs::MetadataExt, path::Path, sync::Arc};

use skep_api::{Pod, ResourceRequirements};

use super::{
    Pressure, Signal,
    rank::{ContainerUse, PodUse},
};
use crate::{
    blocking::caught,
    runtime::{Container, RunState, RuntimeError},
    shared::Shared,
    spec::{ContainerLabels, node_labels},
};

/// What counts against a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OnDisk {
    /// Containers' own files and logs.
    pub(super) containers: bool,
    pub(super) volumes: bool,
}

impl OnDisk {
    /// What lies on the disk that is short; both where it is one disk.
    pub(super) fn of(signal: Signal, nodefs: &Path, imagefs: Option<&Path>) -> Self {
        let device = |path: &Path| {
            path.ancestors()
                .find_map(|path| path.metadata().ok())
                .map(|meta| meta.dev())
        };
        let same = imagefs.is_none_or(|imagefs| device(imagefs) == device(nodefs));
        let of_images = matches!(signal, Signal::ImagefsAvailable | Signal::ImagefsInodesFree);
        let is_disk = signal.pressure() == Pressure::Disk;
        Self {
            containers: is_disk && (same || of_images),
            volumes: is_disk && (same || !of_images),
        }
    }
}

/// The containers of this node that run, by their pod's uid.
pub(super) async fn running(
    shared: &Shared,
) -> Result<BTreeMap<String, Vec<(ContainerLabels, Container)>>, RuntimeError> {
    let labels = node_labels(shared.cluster(), &shared.config.node_name);
    let mut by_pod: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for container in shared.runtime.containers(&labels).await? {
        let labels = ContainerLabels::parse(&container.labels);
        if let (Some(labels), RunState::Running { .. }) = (labels, &container.state) {
            by_pod
                .entry(labels.pod_uid.clone())
                .or_default()
                .push((labels, container));
        }
    }
    Ok(by_pod)
}

/// What a pod uses. A container that has just ended uses nothing.
pub(super) async fn of_pod(
    shared: &Arc<Shared>,
    pod: &Arc<Pod>,
    containers: &[(ContainerLabels, Container)],
    on_disk: OnDisk,
) -> Result<PodUse, RuntimeError> {
    let mut used = PodUse {
        uid: pod.metadata.uid.clone(),
        key: pod.metadata.key().to_string(),
        priority: pod.spec.priority.unwrap_or_default(),
        ..PodUse::default()
    };
    for (labels, container) in containers {
        let name = &labels.container_name;
        let usage = shared
            .runtime
            .usage(&container.id, on_disk.containers)
            .await?
            .unwrap_or_default();
        let spec = &pod.spec;
        let wanted = spec
            .containers
            .iter()
            .chain(&spec.init_containers)
            .find(|c| c.name == *name);
        let request = |resource| wanted.map_or(0, |wanted| request(&wanted.resources, resource));
        used.containers.push(ContainerUse {
            name: name.clone(),
            memory_bytes: usage.memory_bytes,
            memory_request: request("memory"),
            disk_bytes: usage.disk_bytes,
            disk_request: request("ephemeral-storage"),
            pids: usage.pids,
        });
    }
    if on_disk.volumes {
        let (shared, pod) = (Arc::clone(shared), Arc::clone(pod));
        let bytes = caught(move || shared.volumes.usage(&pod)).await;
        used.volume_bytes = bytes.ok().and_then(Result::ok).unwrap_or_default();
    }
    Ok(used)
}

fn request(resources: &ResourceRequirements, name: &str) -> u64 {
    let asked = resources
        .requests
        .get(name)
        .or_else(|| resources.limits.get(name));
    asked
        .and_then(|amount| u64::try_from(amount.units()).ok())
        .unwrap_or(0)
}
