//! What is observed of a pod and its containers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Condition, Time, is_default};

/// Observed state of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct PodStatus {
    /// Where the pod is in its life.
    pub phase: PodPhase,
    /// How it is doing, one entry a type: PodScheduled, Initialized, ContainersReady, Ready.
    #[serde(skip_serializing_if = "is_default")]
    pub conditions: Vec<Condition>,
    /// Why it is in this phase, in words.
    #[serde(skip_serializing_if = "is_default")]
    pub message: String,
    /// Short machine-readable cause, in CamelCase.
    #[serde(skip_serializing_if = "is_default")]
    pub reason: String,
    /// The node's address.
    #[serde(skip_serializing_if = "is_default", rename = "hostIP")]
    pub host_ip: String,
    /// The pod's address.
    #[serde(skip_serializing_if = "is_default", rename = "podIP")]
    pub pod_ip: String,
    /// The same, one for each IP family.
    #[serde(skip_serializing_if = "is_default", rename = "podIPs")]
    pub pod_ips: Vec<PodIp>,
    /// When the node took the pod on.
    #[serde(skip_serializing_if = "is_default")]
    pub start_time: Option<Time>,
    /// The init containers, in the order of the spec.
    #[serde(skip_serializing_if = "is_default")]
    pub init_container_statuses: Vec<ContainerStatus>,
    /// The containers, in the order of the spec.
    #[serde(skip_serializing_if = "is_default")]
    pub container_statuses: Vec<ContainerStatus>,
    /// The node on which room is being made for it: pods of lower priority are on their way out there.
    #[serde(skip_serializing_if = "is_default")]
    pub nominated_node_name: String,
    /// How much of its resources is guaranteed.
    #[serde(skip_serializing_if = "is_default")]
    pub qos_class: Option<QosClass>,
}

/// Where a pod is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PodPhase {
    /// Not placed yet, or its containers are not all started.
    #[default]
    Pending,
    /// Placed, and at least one container runs or is being restarted.
    Running,
    /// All containers ended well and stay ended.
    Succeeded,
    /// All containers ended, at least one of them badly, and stay ended.
    Failed,
    /// The node cannot be asked.
    Unknown,
}

/// How much of a pod's resources is guaranteed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum QosClass {
    /// Nothing is asked for.
    #[default]
    BestEffort,
    /// Something is asked for.
    Burstable,
    /// Every container's limits equal its requests.
    Guaranteed,
}

/// An address of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct PodIp {
    /// The address.
    pub ip: String,
}

/// Observed state of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ContainerStatus {
    /// Name within the pod.
    pub name: String,
    /// What it is doing now.
    pub state: ContainerState,
    /// How its last run ended.
    #[serde(skip_serializing_if = "is_default", rename = "lastState")]
    pub last_state: ContainerState,
    /// True where it runs and its readiness probe succeeds.
    pub ready: bool,
    /// How often it was started again.
    pub restart_count: i32,
    /// The image it runs.
    pub image: String,
    /// The image's digest or id.
    #[serde(rename = "imageID")]
    pub image_id: String,
    /// The engine's id, such as `docker://4f3c…`.
    #[serde(skip_serializing_if = "is_default", rename = "containerID")]
    pub container_id: String,
    /// True once its startup probe succeeded.
    #[serde(skip_serializing_if = "is_default")]
    pub started: Option<bool>,
    /// The devices and CPUs that it has to itself, or its share of them.
    #[serde(skip_serializing_if = "is_default")]
    pub allocated_resources_status: Vec<ResourceStatus>,
}

/// The pieces of one resource that a container has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ResourceStatus {
    /// The resource, such as `nvidia.com/gpu`; `cpu` for CPUs of its own.
    pub name: String,
    /// The pieces.
    #[serde(skip_serializing_if = "is_default")]
    pub resources: Vec<ResourceHealth>,
}

/// One piece of a resource.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ResourceHealth {
    /// The id by which the node knows it.
    #[serde(rename = "resourceID")]
    pub resource_id: String,
    /// Whether it is in order.
    pub health: ResourceHealthStatus,
}

/// Whether a piece of a resource is in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ResourceHealthStatus {
    /// It is there.
    Healthy,
    /// It is gone, or does not work.
    Unhealthy,
    /// Nobody can tell.
    #[default]
    Unknown,
}

/// What a container is doing; at most one field is set, none means waiting.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ContainerState {
    /// It is not started yet.
    #[serde(skip_serializing_if = "is_default")]
    pub waiting: Option<ContainerStateWaiting>,
    /// It runs.
    #[serde(skip_serializing_if = "is_default")]
    pub running: Option<ContainerStateRunning>,
    /// It ended.
    #[serde(skip_serializing_if = "is_default")]
    pub terminated: Option<Box<ContainerStateTerminated>>,
}

/// A container that is not started yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ContainerStateWaiting {
    /// Such as `ContainerCreating`, `ImagePullBackOff`, `CrashLoopBackOff`.
    #[serde(skip_serializing_if = "is_default")]
    pub reason: String,
    /// Why, in words.
    #[serde(skip_serializing_if = "is_default")]
    pub message: String,
}

/// A container that runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ContainerStateRunning {
    /// Since when.
    #[serde(skip_serializing_if = "is_default")]
    pub started_at: Option<Time>,
}

/// A container that ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ContainerStateTerminated {
    /// Its exit code; 128 plus the signal's number where a signal ended it.
    pub exit_code: i32,
    /// The signal that ended it.
    #[serde(skip_serializing_if = "is_default")]
    pub signal: i32,
    /// `Completed`, `Error`, `OOMKilled`, `ContainerCannotRun`, …
    #[serde(skip_serializing_if = "is_default")]
    pub reason: String,
    /// Its last words.
    #[serde(skip_serializing_if = "is_default")]
    pub message: String,
    /// When it started.
    #[serde(skip_serializing_if = "is_default")]
    pub started_at: Option<Time>,
    /// When it ended.
    #[serde(skip_serializing_if = "is_default")]
    pub finished_at: Option<Time>,
    /// The engine's id.
    #[serde(skip_serializing_if = "is_default", rename = "containerID")]
    pub container_id: String,
}
