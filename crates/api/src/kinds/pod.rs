//! Containers that live and die together.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Affinity, Container, ObjectMeta, PodSchedulingGate, PodSecurityContext, PodStatus, PreemptionPolicy,
    ResourceList, ResourceRequirements, Shared, TaintEffect, TopologySpreadConstraint, Volume, is_default,
};

/// Containers that are placed on one node and share its life, address and volumes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Pod {
    /// Name, labels and the like.
    pub metadata: ObjectMeta,
    /// Desired state.
    pub spec: Shared<PodSpec>,
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
    pub spec: Shared<PodSpec>,
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
    /// Nodes and other pods it wants to be near to, or away from.
    #[serde(skip_serializing_if = "is_default")]
    pub affinity: Option<Box<Affinity>>,
    /// How evenly pods like this one are spread over zones, nodes or the like.
    #[serde(skip_serializing_if = "is_default")]
    pub topology_spread_constraints: Vec<TopologySpreadConstraint>,
    /// The priority class it belongs to; its priority is that of the class.
    #[serde(skip_serializing_if = "is_default")]
    pub priority_class_name: String,
    /// Pods of higher priority are placed first and may take the place of others; taken from the class, 0 where not stated.
    #[serde(skip_serializing_if = "is_default")]
    pub priority: Option<i32>,
    /// Whether it may take the place of pods of lower priority; PreemptLowerPriority where not stated.
    #[serde(skip_serializing_if = "is_default")]
    pub preemption_policy: Option<PreemptionPolicy>,
    /// It is not placed before all of these are removed.
    #[serde(skip_serializing_if = "is_default")]
    pub scheduling_gates: Vec<PodSchedulingGate>,
    /// What running it takes on top of what its containers ask for.
    #[serde(skip_serializing_if = "is_default")]
    pub overhead: ResourceList,
    /// What all its containers together need and may use: `cpu` and `memory`.
    #[serde(skip_serializing_if = "is_default")]
    pub resources: ResourceRequirements,
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
            affinity: None,
            topology_spread_constraints: Vec::new(),
            priority_class_name: String::new(),
            priority: None,
            preemption_policy: None,
            scheduling_gates: Vec::new(),
            overhead: ResourceList::new(),
            resources: ResourceRequirements::default(),
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
