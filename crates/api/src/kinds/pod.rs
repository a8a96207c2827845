//! Containers that live and die together.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Condition, Container, ObjectMeta, PodSecurityContext, TaintEffect, Time, Volume, is_default};

/// Containers that are placed on one node and share its life, address and volumes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Pod {
    /// Name, labels and the like.
    pub metadata: ObjectMeta,
    /// Desired state.
    pub spec: PodSpec,
    /// Observed state.
    #[serde(skip_serializing_if = "is_default")]
    pub status: PodStatus,
}

/// What new pods look like.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct PodTemplateSpec {
    /// Labels and annotations of the pods.
    #[serde(skip_serializing_if = "is_default")]
    pub metadata: ObjectMeta,
    /// Their desired state.
    pub spec: PodSpec,
}

/// Desired state of a pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct PodSpec {
    /// Run one after the other, each to its end, before the others start.
    #[serde(skip_serializing_if = "is_default")]
    pub init_containers: Vec<Container>,
    /// The containers; at least one.
    pub containers: Vec<Container>,
    /// Files the containers may mount.
    #[serde(skip_serializing_if = "is_default")]
    pub volumes: Vec<Volume>,
    /// When ended containers are started again.
    pub restart_policy: RestartPolicy,
    /// Seconds the containers have to end before they are killed; 30 where not stated.
    pub termination_grace_period_seconds: i64,
    /// Seconds after which the pod is failed.
    #[serde(skip_serializing_if = "is_default")]
    pub active_deadline_seconds: Option<i64>,
    /// Where names are looked up.
    pub dns_policy: DnsPolicy,
    /// Name servers, search domains and options.
    #[serde(skip_serializing_if = "is_default")]
    pub dns_config: Option<Box<PodDnsConfig>>,
    /// Labels that the node must have.
    #[serde(skip_serializing_if = "is_default")]
    pub node_selector: BTreeMap<String, String>,
    /// The node it is bound to; set by the scheduler where empty.
    #[serde(skip_serializing_if = "is_default")]
    pub node_name: String,
    /// Taints that do not keep it away.
    #[serde(skip_serializing_if = "is_default")]
    pub tolerations: Vec<Toleration>,
    /// The scheduler that places it; `default-scheduler` is the only one.
    pub scheduler_name: String,
    /// True where it uses the node's network.
    #[serde(skip_serializing_if = "is_default", rename = "hostNetwork")]
    pub host_network: bool,
    /// True where it sees the node's processes.
    #[serde(skip_serializing_if = "is_default", rename = "hostPID")]
    pub host_pid: bool,
    /// True where it shares the node's IPC objects.
    #[serde(skip_serializing_if = "is_default", rename = "hostIPC")]
    pub host_ipc: bool,
    /// True where its containers see each other's processes.
    #[serde(skip_serializing_if = "is_default")]
    pub share_process_namespace: bool,
    /// What the containers' processes may do.
    #[serde(skip_serializing_if = "is_default")]
    pub security_context: Option<Box<PodSecurityContext>>,
    /// Secrets with credentials for image registries.
    #[serde(skip_serializing_if = "is_default")]
    pub image_pull_secrets: Vec<LocalObjectReference>,
    /// The pod's host name; its name where not stated.
    #[serde(skip_serializing_if = "is_default")]
    pub hostname: String,
    /// Lines for `/etc/hosts`.
    #[serde(skip_serializing_if = "is_default")]
    pub host_aliases: Vec<HostAlias>,
}

impl Default for PodSpec {
    fn default() -> Self {
        Self {
            init_containers: Vec::new(),
            containers: Vec::new(),
            volumes: Vec::new(),
            restart_policy: RestartPolicy::Always,
            termination_grace_period_seconds: 30,
            active_deadline_seconds: None,
            dns_policy: DnsPolicy::ClusterFirst,
            dns_config: None,
            node_selector: BTreeMap::new(),
            node_name: String::new(),
            tolerations: Vec::new(),
            scheduler_name: "default-scheduler".to_owned(),
            host_network: false,
            host_pid: false,
            host_ipc: false,
            share_process_namespace: false,
            security_context: None,
            image_pull_secrets: Vec::new(),
            hostname: String::new(),
            host_aliases: Vec::new(),
        }
    }
}

/// When ended containers are started again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RestartPolicy {
    /// Always.
    #[default]
    Always,
    /// After a failure.
    OnFailure,
    /// Never.
    Never,
}

/// Where names are looked up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DnsPolicy {
    /// In the cluster first, then where the node looks.
    #[default]
    ClusterFirst,
    /// The same, for pods on the node's network.
    ClusterFirstWithHostNet,
    /// Where the node looks.
    Default,
    /// Where `dnsConfig` says.
    None,
}

/// Name servers, search domains and options, after those of the policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct PodDnsConfig {
    /// Addresses of name servers.
    #[serde(skip_serializing_if = "is_default")]
    pub nameservers: Vec<String>,
    /// Domains to search.
    #[serde(skip_serializing_if = "is_default")]
    pub searches: Vec<String>,
    /// Resolver options.
    #[serde(skip_serializing_if = "is_default")]
    pub options: Vec<PodDnsConfigOption>,
}

/// A resolver option.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct PodDnsConfigOption {
    /// Its name, such as `ndots`.
    pub name: String,
    /// Its value, if it has one.
    #[serde(skip_serializing_if = "is_default")]
    pub value: Option<String>,
}

/// A taint that does not keep the pod away.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Toleration {
    /// The taint's key; every key where empty, with the operator Exists.
    #[serde(skip_serializing_if = "is_default")]
    pub key: String,
    /// How the taint's value relates to `value`.
    #[serde(skip_serializing_if = "is_default")]
    pub operator: TolerationOperator,
    /// The taint's value, for Equal.
    #[serde(skip_serializing_if = "is_default")]
    pub value: String,
    /// The taint's effect; every effect where not stated.
    #[serde(skip_serializing_if = "is_default")]
    pub effect: Option<TaintEffect>,
    /// For NoExecute: seconds the pod stays after the taint was added; for ever where not stated.
    #[serde(skip_serializing_if = "is_default")]
    pub toleration_seconds: Option<i64>,
}

/// How a taint's value relates to a toleration's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TolerationOperator {
    /// They are equal.
    #[default]
    Equal,
    /// Any value will do.
    Exists,
}

/// An object of the same namespace, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct LocalObjectReference {
    /// Its name.
    pub name: String,
}

/// A line for `/etc/hosts`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct HostAlias {
    /// The address.
    pub ip: String,
    /// The names it goes by.
    pub hostnames: Vec<String>,
}

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
