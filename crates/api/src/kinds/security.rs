//! What a container's processes may do.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::is_default;

/// What the processes of all a pod's containers may do; a container's own context wins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct PodSecurityContext {
    /// User id of the processes; the image's where not stated.
    #[serde(skip_serializing_if = "is_default")]
    pub run_as_user: Option<i64>,
    /// Group id of the processes; the image's where not stated.
    #[serde(skip_serializing_if = "is_default")]
    pub run_as_group: Option<i64>,
    /// True refuses to start a container whose user is root.
    #[serde(skip_serializing_if = "is_default")]
    pub run_as_non_root: Option<bool>,
    /// Group that owns the pod's volumes and that all processes are in.
    #[serde(skip_serializing_if = "is_default")]
    pub fs_group: Option<i64>,
    /// More groups that the processes are in.
    #[serde(skip_serializing_if = "is_default")]
    pub supplemental_groups: Vec<i64>,
    /// Which system calls are allowed.
    #[serde(skip_serializing_if = "is_default")]
    pub seccomp_profile: Option<SeccompProfile>,
    /// Kernel settings of the pod's namespaces.
    #[serde(skip_serializing_if = "is_default")]
    pub sysctls: Vec<Sysctl>,
}

/// A kernel setting.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Sysctl {
    /// The setting, such as `net.core.somaxconn`.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// What a container's processes may do; wins over the pod's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct SecurityContext {
    /// User id of the processes.
    #[serde(skip_serializing_if = "is_default")]
    pub run_as_user: Option<i64>,
    /// Group id of the processes.
    #[serde(skip_serializing_if = "is_default")]
    pub run_as_group: Option<i64>,
    /// True refuses to start the container where its user is root.
    #[serde(skip_serializing_if = "is_default")]
    pub run_as_non_root: Option<bool>,
    /// True where the container may write to its volumes only.
    #[serde(skip_serializing_if = "is_default")]
    pub read_only_root_filesystem: bool,
    /// True gives the processes all the host's rights.
    #[serde(skip_serializing_if = "is_default")]
    pub privileged: bool,
    /// False keeps processes from gaining rights (no_new_privs).
    #[serde(skip_serializing_if = "is_default")]
    pub allow_privilege_escalation: Option<bool>,
    /// Rights to add and to drop.
    #[serde(skip_serializing_if = "is_default")]
    pub capabilities: Option<Capabilities>,
    /// Which system calls are allowed.
    #[serde(skip_serializing_if = "is_default")]
    pub seccomp_profile: Option<SeccompProfile>,
}

/// Rights of root, one by one, without the prefix `CAP_`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Capabilities {
    /// Rights to add to the engine's default set.
    #[serde(skip_serializing_if = "is_default")]
    pub add: Vec<String>,
    /// Rights to drop from it; `ALL` drops every one.
    #[serde(skip_serializing_if = "is_default")]
    pub drop: Vec<String>,
}

/// Which system calls are allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct SeccompProfile {
    /// Where the profile comes from.
    #[serde(rename = "type")]
    pub r#type: SeccompProfileType,
    /// For Localhost: the profile's file, below the node's `seccomp` folder.
    #[serde(skip_serializing_if = "is_default")]
    pub localhost_profile: String,
}

/// Where a seccomp profile comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SeccompProfileType {
    /// The engine's own profile.
    #[default]
    RuntimeDefault,
    /// Every system call is allowed.
    Unconfined,
    /// A file on the node.
    Localhost,
}
