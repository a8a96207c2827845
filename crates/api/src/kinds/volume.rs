//! Files that containers see.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Quantity, is_default};

/// Files that containers of the pod may mount. Exactly one source is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Volume {
    /// Name within the pod.
    pub name: String,
    /// The keys of a config map, a file each.
    #[serde(skip_serializing_if = "is_default")]
    pub config_map: Option<ConfigMapVolumeSource>,
    /// The keys of a secret, a file each, in memory only.
    #[serde(skip_serializing_if = "is_default")]
    pub secret: Option<SecretVolumeSource>,
    /// An empty folder that lives as long as the pod.
    #[serde(skip_serializing_if = "is_default")]
    pub empty_dir: Option<EmptyDirVolumeSource>,
    /// A path of the node.
    #[serde(skip_serializing_if = "is_default")]
    pub host_path: Option<HostPathVolumeSource>,
    /// Several sources in one folder.
    #[serde(skip_serializing_if = "is_default")]
    pub projected: Option<ProjectedVolumeSource>,
    /// Fields of the pod, a file each.
    #[serde(skip_serializing_if = "is_default", rename = "downwardAPI")]
    pub downward_api: Option<DownwardApiVolumeSource>,
}

/// The keys of a config map, a file each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ConfigMapVolumeSource {
    /// Name of the config map.
    pub name: String,
    /// Which keys, and where; all where empty.
    #[serde(skip_serializing_if = "is_default")]
    pub items: Vec<KeyToPath>,
    /// Permission bits of the files; 0644 where not stated.
    pub default_mode: i32,
    /// True where the config map or its keys may be missing.
    #[serde(skip_serializing_if = "is_default")]
    pub optional: bool,
}

impl Default for ConfigMapVolumeSource {
    fn default() -> Self {
        Self {
            name: String::new(),
            items: Vec::new(),
            default_mode: 0o644,
            optional: false,
        }
    }
}

/// The keys of a secret, a file each, in memory only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct SecretVolumeSource {
    /// Name of the secret.
    pub secret_name: String,
    /// Which keys, and where; all where empty.
    #[serde(skip_serializing_if = "is_default")]
    pub items: Vec<KeyToPath>,
    /// Permission bits of the files; 0400 where not stated.
    pub default_mode: i32,
    /// True where the secret or its keys may be missing.
    #[serde(skip_serializing_if = "is_default")]
    pub optional: bool,
}

impl Default for SecretVolumeSource {
    fn default() -> Self {
        Self {
            secret_name: String::new(),
            items: Vec::new(),
            default_mode: 0o400,
            optional: false,
        }
    }
}

/// Where a key's file lies in a volume.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct KeyToPath {
    /// The key.
    pub key: String,
    /// The file's path below the mount; relative, without `..`.
    pub path: String,
    /// Permission bits of the file; the volume's where not stated.
    #[serde(skip_serializing_if = "is_default")]
    pub mode: Option<i32>,
}

/// An empty folder that lives as long as the pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct EmptyDirVolumeSource {
    /// Where it is kept.
    #[serde(skip_serializing_if = "is_default")]
    pub medium: StorageMedium,
    /// How much it may hold; for Memory the size of the file system.
    #[serde(skip_serializing_if = "is_default")]
    pub size_limit: Option<Quantity>,
}

/// Where a folder is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum StorageMedium {
    /// The node's disk.
    #[default]
    #[serde(rename = "")]
    Disk,
    /// The node's memory (tmpfs).
    Memory,
}

/// A path of the node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct HostPathVolumeSource {
    /// The absolute path.
    pub path: String,
    /// What must be there, or is made.
    #[serde(skip_serializing_if = "is_default", rename = "type")]
    pub r#type: HostPathType,
}

/// What a host path must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum HostPathType {
    /// Anything; nothing is checked.
    #[default]
    #[serde(rename = "")]
    Unset,
    /// A folder, made where missing.
    DirectoryOrCreate,
    /// A folder that is there.
    Directory,
    /// A file, made where missing.
    FileOrCreate,
    /// A file that is there.
    File,
    /// A Unix socket that is there.
    Socket,
    /// A character device that is there.
    CharDevice,
    /// A block device that is there.
    BlockDevice,
}

/// Several sources in one folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ProjectedVolumeSource {
    /// The sources; a path may come from one only.
    pub sources: Vec<VolumeProjection>,
    /// Permission bits of the files; 0644 where not stated.
    pub default_mode: i32,
}

impl Default for ProjectedVolumeSource {
    fn default() -> Self {
        Self {
            sources: Vec::new(),
            default_mode: 0o644,
        }
    }
}

/// One source of a projected volume. Exactly one field is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct VolumeProjection {
    /// Keys of a config map.
    #[serde(skip_serializing_if = "is_default")]
    pub config_map: Option<ConfigMapProjection>,
    /// Keys of a secret.
    #[serde(skip_serializing_if = "is_default")]
    pub secret: Option<SecretProjection>,
    /// Fields of the pod.
    #[serde(skip_serializing_if = "is_default", rename = "downwardAPI")]
    pub downward_api: Option<DownwardApiProjection>,
}

/// Keys of a config map.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ConfigMapProjection {
    /// Name of the config map.
    pub name: String,
    /// Which keys, and where; all where empty.
    #[serde(skip_serializing_if = "is_default")]
    pub items: Vec<KeyToPath>,
    /// True where the config map or its keys may be missing.
    #[serde(skip_serializing_if = "is_default")]
    pub optional: bool,
}

/// Keys of a secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct SecretProjection {
    /// Name of the secret.
    pub name: String,
    /// Which keys, and where; all where empty.
    #[serde(skip_serializing_if = "is_default")]
    pub items: Vec<KeyToPath>,
    /// True where the secret or its keys may be missing.
    #[serde(skip_serializing_if = "is_default")]
    pub optional: bool,
}

/// Fields of the pod, a file each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct DownwardApiProjection {
    /// The files.
    pub items: Vec<DownwardApiVolumeFile>,
}

/// Fields of the pod, a file each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct DownwardApiVolumeSource {
    /// The files.
    pub items: Vec<DownwardApiVolumeFile>,
    /// Permission bits of the files; 0644 where not stated.
    pub default_mode: i32,
}

impl Default for DownwardApiVolumeSource {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            default_mode: 0o644,
        }
    }
}

/// A file with a field of the pod. Exactly one of `fieldRef` and `resourceFieldRef` is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct DownwardApiVolumeFile {
    /// The file's path below the mount; relative, without `..`.
    pub path: String,
    /// A field of the pod: metadata only.
    #[serde(skip_serializing_if = "is_default")]
    pub field_ref: Option<ObjectFieldSelector>,
    /// A container's request or limit.
    #[serde(skip_serializing_if = "is_default")]
    pub resource_field_ref: Option<ResourceFieldSelector>,
    /// Permission bits of the file; the volume's where not stated.
    #[serde(skip_serializing_if = "is_default")]
    pub mode: Option<i32>,
}

/// A field of the pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ObjectFieldSelector {
    /// `v1`.
    #[serde(skip_serializing_if = "is_default")]
    pub api_version: String,
    /// `metadata.name`, `metadata.labels['key']`, `status.podIP`, …
    pub field_path: String,
}

/// A container's request or limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ResourceFieldSelector {
    /// The container; the one that asks where not stated.
    #[serde(skip_serializing_if = "is_default")]
    pub container_name: String,
    /// `limits.cpu`, `requests.memory`, …
    pub resource: String,
    /// The unit of the answer, 1 where not stated; the answer is rounded up.
    #[serde(skip_serializing_if = "is_default")]
    pub divisor: Option<Quantity>,
}

/// Where a container sees a volume.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct VolumeMount {
    /// The volume's name.
    pub name: String,
    /// The absolute path in the container.
    pub mount_path: String,
    /// The part of the volume to mount; relative, without `..`.
    #[serde(skip_serializing_if = "is_default")]
    pub sub_path: String,
    /// True where the container may not write.
    #[serde(skip_serializing_if = "is_default")]
    pub read_only: bool,
    /// Whether mounts made on one side are seen on the other.
    #[serde(skip_serializing_if = "is_default")]
    pub mount_propagation: MountPropagation,
}

/// Whether mounts made on one side are seen on the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum MountPropagation {
    /// Neither sees the other's.
    #[default]
    None,
    /// The container sees the host's.
    HostToContainer,
    /// Each sees the other's; for privileged containers only.
    Bidirectional,
}
