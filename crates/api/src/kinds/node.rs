//! A machine that runs pods.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ObjectMeta, Quantity, Time, is_default};

/// Amounts of resources by name: `cpu`, `memory`, `ephemeral-storage`, `pods`, extended resources.
pub type ResourceList = BTreeMap<String, Quantity>;

/// A machine that runs pods.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Node {
    /// Name, labels and the like.
    pub metadata: ObjectMeta,
    /// Desired state.
    #[serde(skip_serializing_if = "is_default")]
    pub spec: NodeSpec,
    /// Observed state.
    #[serde(skip_serializing_if = "is_default")]
    pub status: NodeStatus,
}

/// Desired state of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct NodeSpec {
    /// Addresses for the node's pods, such as `10.64.3.0/24`.
    #[serde(skip_serializing_if = "is_default", rename = "podCIDR")]
    pub pod_cidr: String,
    /// The same, one for each IP family.
    #[serde(skip_serializing_if = "is_default", rename = "podCIDRs")]
    pub pod_cidrs: Vec<String>,
    /// True where no new pod may be placed (`skep cordon`).
    #[serde(skip_serializing_if = "is_default")]
    pub unschedulable: bool,
    /// What keeps pods away that do not tolerate it.
    #[serde(skip_serializing_if = "is_default")]
    pub taints: Vec<Taint>,
}

/// Keeps pods away that do not tolerate it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Taint {
    /// The taint's key.
    pub key: String,
    /// The taint's value.
    #[serde(skip_serializing_if = "is_default")]
    pub value: String,
    /// What happens to pods that do not tolerate it.
    pub effect: TaintEffect,
    /// When the taint was added.
    #[serde(skip_serializing_if = "is_default")]
    pub time_added: Option<Time>,
}

/// What happens to pods that do not tolerate a taint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TaintEffect {
    /// They are not placed on the node.
    #[default]
    NoSchedule,
    /// They are placed on the node only where no other fits.
    PreferNoSchedule,
    /// They are not placed on the node, and those that run there are evicted.
    NoExecute,
}

/// Observed state of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct NodeStatus {
    /// All the node has.
    #[serde(skip_serializing_if = "is_default")]
    pub capacity: ResourceList,
    /// What pods may ask for.
    #[serde(skip_serializing_if = "is_default")]
    pub allocatable: ResourceList,
    /// How the node is doing, one entry a type.
    #[serde(skip_serializing_if = "is_default")]
    pub conditions: Vec<NodeCondition>,
    /// Where the node can be reached.
    #[serde(skip_serializing_if = "is_default")]
    pub addresses: Vec<NodeAddress>,
    /// What the node is made of.
    #[serde(skip_serializing_if = "is_default")]
    pub node_info: NodeSystemInfo,
    /// Images on the node, largest first.
    #[serde(skip_serializing_if = "is_default")]
    pub images: Vec<ContainerImage>,
}

/// One aspect of how a node is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct NodeCondition {
    /// The aspect.
    #[serde(rename = "type")]
    pub r#type: NodeConditionType,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// When the node last reported it.
    #[serde(skip_serializing_if = "is_default")]
    pub last_heartbeat_time: Option<Time>,
    /// When `status` last changed.
    #[serde(skip_serializing_if = "is_default")]
    pub last_transition_time: Option<Time>,
    /// Short machine-readable cause, in CamelCase.
    #[serde(skip_serializing_if = "is_default")]
    pub reason: String,
    /// The cause in words.
    #[serde(skip_serializing_if = "is_default")]
    pub message: String,
}

/// An aspect of how a node is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum NodeConditionType {
    /// The node can run pods.
    #[default]
    Ready,
    /// Memory is short.
    MemoryPressure,
    /// Disk space is short.
    DiskPressure,
    /// Process numbers are short.
    PIDPressure,
    /// The pod network is not set up.
    NetworkUnavailable,
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ConditionStatus {
    /// Nobody can tell.
    #[default]
    Unknown,
    /// It holds.
    True,
    /// It does not hold.
    False,
}

/// Where a node can be reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct NodeAddress {
    /// The kind of address.
    #[serde(rename = "type")]
    pub r#type: NodeAddressType,
    /// The address or name.
    pub address: String,
}

/// The kind of an address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum NodeAddressType {
    /// Reached from inside the cluster.
    #[default]
    InternalIP,
    /// Reached from outside.
    ExternalIP,
    /// The machine's name.
    Hostname,
}

/// What a node is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct NodeSystemInfo {
    /// From `/etc/machine-id`.
    #[serde(skip_serializing_if = "is_default", rename = "machineID")]
    pub machine_id: String,
    /// From the firmware.
    #[serde(skip_serializing_if = "is_default", rename = "systemUUID")]
    pub system_uuid: String,
    /// Another one after each boot.
    #[serde(skip_serializing_if = "is_default", rename = "bootID")]
    pub boot_id: String,
    /// As `uname -r` says.
    #[serde(skip_serializing_if = "is_default")]
    pub kernel_version: String,
    /// The distribution's name and version.
    #[serde(skip_serializing_if = "is_default")]
    pub os_image: String,
    /// The engine and its version, such as `docker://20.10.24`.
    #[serde(skip_serializing_if = "is_default")]
    pub container_runtime_version: String,
    /// The version of the node's skep agent.
    #[serde(skip_serializing_if = "is_default")]
    pub kubelet_version: String,
    /// `linux`.
    #[serde(skip_serializing_if = "is_default")]
    pub operating_system: String,
    /// `amd64`, `arm64`, …
    #[serde(skip_serializing_if = "is_default")]
    pub architecture: String,
}

/// An image on a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ContainerImage {
    /// The names it is known by.
    pub names: Vec<String>,
    /// Its size in bytes.
    #[serde(skip_serializing_if = "is_default")]
    pub size_bytes: i64,
}
