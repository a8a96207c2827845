//! Files that a pod's containers see, below `{data_dir}/pods/{uid}`.
//!
//! Everything here blocks on the disk; async callers go through `tokio::task::spawn_blocking`.

mod atomic;
mod empty_dir;
mod error;
mod host_path;
mod ownership;
mod payload;
mod place;
mod sub_path;
mod tear_down;
mod termination;
mod tmpfs;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use skep_api::{Container, MountPropagation, Pod, Volume, VolumeMount};

pub use error::VolumeError;
use place::Place;

use crate::{
    runtime::Mount,
    spec::{Facts, Sources},
};

/// The volumes of all pods on the node.
#[derive(Clone, Debug)]
pub struct Volumes {
    place: Place,
}

impl Volumes {
    /// Volumes below `data_dir`, which is made when the first pod needs it.
    pub fn new(data_dir: &Path) -> Self {
        Self {
            place: Place::new(data_dir),
        }
    }

    /// Makes all volumes of a pod and fills them; repeated, it brings them up to date. Answers with the path of each.
    pub fn set_up(
        &self,
        pod: &Pod,
        sources: &dyn Sources,
        facts: &Facts,
    ) -> Result<BTreeMap<String, PathBuf>, VolumeError> {
        let mut paths = BTreeMap::new();
        for volume in &pod.spec.volumes {
            paths.insert(volume.name.clone(), self.set_up_one(pod, volume, sources, facts)?);
        }
        Ok(paths)
    }

    /// Brings the files of config maps, secrets and the pod's own fields up to date, each volume at one stroke. Running
    /// containers see the new files, except for those they mount by subPath. True where something changed.
    pub fn refresh(&self, pod: &Pod, sources: &dyn Sources, facts: &Facts) -> Result<bool, VolumeError> {
        let mut changed = false;
        for volume in &pod.spec.volumes {
            let path = self.place.volume(pod, volume)?;
            if payload::is_payload(volume) && path.exists() {
                changed |= fill(&path, pod, volume, sources, facts)?;
            }
        }
        Ok(changed)
    }

    /// What one run of a container sees: its volume mounts, and the file for its last words. The volumes are set up.
    pub fn mounts(&self, pod: &Pod, container: &Container, attempt: u32) -> Result<Vec<Mount>, VolumeError> {
        let mut mounts = Vec::new();
        for (index, wanted) in container.volume_mounts.iter().enumerate() {
            mounts.push(self.mount(pod, container, index, wanted)?);
        }
        if !container.termination_message_path.is_empty() {
            mounts.push(Mount {
                source: termination::prepare(&self.place, &pod.metadata.uid, &container.name, attempt)?,
                target: container.termination_message_path.clone(),
                read_only: false,
                propagation: "rprivate",
            });
        }
        Ok(mounts)
    }

    /// What one run of a container wrote to the file for its last words: the last 4096 bytes as text, empty for nothing.
    pub fn termination_message(&self, pod_uid: &str, container: &str, attempt: u32) -> String {
        termination::read(&self.place, pod_uid, container, attempt)
    }

    /// Why a pod is to be evicted for what its emptyDir volumes hold, in Kubernetes' words; `None` within their limits.
    pub fn exceeded(&self, pod: &Pod) -> Result<Option<String>, VolumeError> {
        for volume in &pod.spec.volumes {
            let path = self.place.volume(pod, volume)?;
            if let Some(message) = empty_dir::exceeded(&path, volume)? {
                return Ok(Some(message));
            }
        }
        Ok(None)
    }

    /// Bytes on disk in the pod's emptyDir volumes, which are gone with it.
    pub fn usage(&self, pod: &Pod) -> Result<u64, VolumeError> {
        let mut bytes = 0;
        for volume in pod
            .spec
            .volumes
            .iter()
            .filter(|volume| empty_dir::is_on_disk(volume))
        {
            let path = self.place.volume(pod, volume)?;
            bytes += empty_dir::usage(&path).map_err(|error| VolumeError::io("measure", &path, &error))?;
        }
        Ok(bytes)
    }

    /// Removes all that a pod had here. What host paths hold stays. Repeated, it succeeds.
    pub fn tear_down(&self, pod_uid: &str) -> Result<(), VolumeError> {
        tear_down::tear_down(&self.place.pod(pod_uid)?)
    }

    /// Uids of the pods that have something here.
    pub fn known(&self) -> Result<Vec<String>, VolumeError> {
        self.place.known()
    }

    fn set_up_one(
        &self,
        pod: &Pod,
        volume: &Volume,
        sources: &dyn Sources,
        facts: &Facts,
    ) -> Result<PathBuf, VolumeError> {
        if let Some(host_path) = &volume.host_path {
            host_path::check(host_path)?;
            return Ok(PathBuf::from(&host_path.path));
        }
        let path = self.place.volume(pod, volume)?;
        if let Some(empty_dir) = &volume.empty_dir {
            empty_dir::set_up(&path, empty_dir, ownership::fs_group(pod))?;
            return Ok(path);
        }
        make_dir(&path)?;
        if payload::is_secret(volume) {
            tmpfs::mount(
                &path,
                &tmpfs::Options {
                    mode: 0o755,
                    size_bytes: None,
                },
            )?;
        }
        fill(&path, pod, volume, sources, facts)?;
        Ok(path)
    }

    fn mount(
        &self,
        pod: &Pod,
        container: &Container,
        index: usize,
        wanted: &VolumeMount,
    ) -> Result<Mount, VolumeError> {
        let volume = pod.spec.volumes.iter().find(|volume| volume.name == wanted.name);
        let volume = volume.ok_or_else(|| VolumeError::NoVolume(wanted.name.clone()))?;
        let root = match &volume.host_path {
            Some(host_path) => PathBuf::from(&host_path.path),
            None => self.place.volume(pod, volume)?,
        };
        let source = if wanted.sub_path.is_empty() {
            root
        } else {
            let target = self.place.sub_path(&pod.metadata.uid, &container.name, index)?;
            let create = !payload::is_payload(volume);
            sub_path::bind(&root, wanted, create, &target)?
        };
        Ok(Mount {
            source,
            target: wanted.mount_path.clone(),
            read_only: wanted.read_only || payload::is_payload(volume),
            propagation: match wanted.mount_propagation {
                MountPropagation::None => "rprivate",
                MountPropagation::HostToContainer => "rslave",
                MountPropagation::Bidirectional => "rshared",
            },
        })
    }
}

fn fill(
    path: &Path,
    pod: &Pod,
    volume: &Volume,
    sources: &dyn Sources,
    facts: &Facts,
) -> Result<bool, VolumeError> {
    let files = payload::files(pod, volume, sources, facts)?;
    atomic::write(path, &files, ownership::fs_group(pod))
}

fn make_dir(path: &Path) -> Result<(), VolumeError> {
    fs::create_dir_all(path).map_err(|error| VolumeError::io("create", path, &error))
}

#[cfg(test)]
mod tests;
