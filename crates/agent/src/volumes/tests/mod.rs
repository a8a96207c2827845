//! Volumes on a real disk, with real mounts: these tests run as root.
#![expect(
    clippy::needless_pass_by_value,
    reason = "documents written in place read best"
)]

mod empty_dirs;
mod host_paths;
mod mounts;
mod payloads;
mod tear_down;

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::{Value, json};
use skep_api::{ConfigMap, Pod, Secret};
use tempfile::TempDir;

use super::{VolumeError, Volumes};
use crate::{
    runtime::Mount,
    spec::{Facts, Sources},
};

pub(super) const UID: &str = "0f3b8c1e-0000-4000-8000-000000000001";

/// A node's folder, and a pod on it.
pub(super) struct Node {
    pub(super) data: TempDir,
    pub(super) volumes: Volumes,
    pub(super) pod: Pod,
    pub(super) sources: Documents,
}

#[derive(Default)]
pub(super) struct Documents {
    config_maps: BTreeMap<String, Arc<ConfigMap>>,
    secrets: BTreeMap<String, Arc<Secret>>,
}

impl Sources for Documents {
    fn config_map(&self, _: &str, name: &str) -> Option<Arc<ConfigMap>> {
        self.config_maps.get(name).cloned()
    }

    fn secret(&self, _: &str, name: &str) -> Option<Arc<Secret>> {
        self.secrets.get(name).cloned()
    }
}

impl Node {
    /// With a pod whose only volume, `v`, has this source.
    pub(super) fn with(source: Value) -> Self {
        Self::with_spec(source, json!({}))
    }

    /// The same, with more fields of the pod's spec.
    pub(super) fn with_spec(mut source: Value, mut spec: Value) -> Self {
        assert!(
            nix::unistd::geteuid().is_root(),
            "volumes are mounted, so these tests must run as root"
        );
        source["name"] = json!("v");
        spec["volumes"] = json!([source]);
        if spec["containers"].is_null() {
            spec["containers"] =
                json!([{ "name": "web", "image": "web", "resources": { "limits": { "memory": "64Mi" } } }]);
        }
        let metadata = json!({ "name": "web", "namespace": "shop", "uid": UID, "labels": { "app": "web" } });
        let pod = serde_json::from_value(json!({ "metadata": metadata, "spec": spec })).expect("a pod");
        let data = tempfile::tempdir().expect("a folder");
        Self {
            volumes: Volumes::new(data.path()),
            data,
            pod,
            sources: Documents::default(),
        }
    }

    pub(super) fn config_map(&mut self, name: &str, data: Value) {
        let map = serde_json::from_value(json!({ "data": data })).expect("a config map");
        self.sources.config_maps.insert(name.to_owned(), Arc::new(map));
    }

    pub(super) fn secret(&mut self, name: &str, data: Value) {
        let secret = serde_json::from_value(json!({ "data": data })).expect("a secret");
        self.sources.secrets.insert(name.to_owned(), Arc::new(secret));
    }

    /// Makes the volume: its path.
    pub(super) fn set_up(&self) -> Result<PathBuf, VolumeError> {
        let mut paths = self.volumes.set_up(&self.pod, &self.sources, &Facts::default())?;
        Ok(paths.remove("v").expect("each volume has a path"))
    }

    pub(super) fn path(&self) -> PathBuf {
        self.set_up().expect("a volume")
    }

    pub(super) fn refresh(&self) -> bool {
        self.volumes
            .refresh(&self.pod, &self.sources, &Facts::default())
            .expect("it is brought up to date")
    }

    /// What the first container mounts, without the file for its last words.
    pub(super) fn mounts(&self) -> Result<Vec<Mount>, VolumeError> {
        let mut mounts = self.volumes.mounts(&self.pod, &self.pod.spec.containers[0], 0)?;
        mounts.retain(|mount| mount.target != "/dev/termination-log");
        Ok(mounts)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Err(error) = self.volumes.tear_down(UID) {
            eprintln!("{error}");
        }
    }
}

pub(super) fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Permission bits of what a path leads to.
pub(super) fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o7777
}

pub(super) fn group(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").gid()
}

/// Names in a folder that containers are meant to see.
pub(super) fn names(path: &Path) -> Vec<String> {
    let entries = fs::read_dir(path)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<String> = entries.filter_map(|name| name.into_string().ok()).collect();
    names.retain(|name| !name.starts_with(".."));
    names.sort();
    names
}
