//! Which nodes a pod is drawn to or kept from, by the nodes' labels and by the pods that are there.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{LabelSelector, is_default};

/// Which nodes a pod is drawn to or kept from. What is required decides at the time of placing only: a pod that runs stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Affinity {
    /// By the nodes' labels.
    #[serde(skip_serializing_if = "is_default")]
    pub node_affinity: Option<NodeAffinity>,
    /// Near pods.
    #[serde(skip_serializing_if = "is_default")]
    pub pod_affinity: Option<PodAffinity>,
    /// Away from pods.
    #[serde(skip_serializing_if = "is_default")]
    pub pod_anti_affinity: Option<PodAntiAffinity>,
}

/// Which nodes a pod is drawn to, by their labels.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct NodeAffinity {
    /// The pod goes to no node that this does not select.
    #[serde(skip_serializing_if = "is_default")]
    pub required_during_scheduling_ignored_during_execution: Option<NodeSelector>,
    /// The nodes with the largest sum of weights are preferred.
    #[serde(skip_serializing_if = "is_default")]
    pub preferred_during_scheduling_ignored_during_execution: Vec<PreferredSchedulingTerm>,
}

/// Selects nodes: one of the terms must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct NodeSelector {
    /// The terms; at least one.
    pub node_selector_terms: Vec<NodeSelectorTerm>,
}

/// Selects nodes: every requirement must hold. Without any it selects none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct NodeSelectorTerm {
    /// Requirements on the node's labels.
    #[serde(skip_serializing_if = "is_default")]
    pub match_expressions: Vec<NodeSelectorRequirement>,
    /// Requirements on the node's fields; `metadata.name` is the only one.
    #[serde(skip_serializing_if = "is_default")]
    pub match_fields: Vec<NodeSelectorRequirement>,
}

/// One requirement on a label or field of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct NodeSelectorRequirement {
    /// The label's key, or the field's name.
    pub key: String,
    /// How its value relates to `values`.
    pub operator: NodeSelectorOperator,
    /// Needed for In and NotIn, one whole number for Gt and Lt, empty for Exists and DoesNotExist.
    #[serde(skip_serializing_if = "is_default")]
    pub values: Vec<String>,
}

/// How a node's value relates to a requirement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum NodeSelectorOperator {
    /// The value is one of `values`.
    #[default]
    In,
    /// The label is missing, or its value is none of `values`.
    NotIn,
    /// The label is there.
    Exists,
    /// The label is missing.
    DoesNotExist,
    /// The value is a whole number greater than the one in `values`.
    Gt,
    /// The value is a whole number less than the one in `values`.
    Lt,
}

/// Prefers the nodes that it selects.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct PreferredSchedulingTerm {
    /// How much, 1 to 100.
    pub weight: i32,
    /// The nodes.
    pub preference: NodeSelectorTerm,
}

/// Near which pods a pod goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct PodAffinity {
    /// The pod goes to no node where one of these does not hold.
    #[serde(skip_serializing_if = "is_default")]
    pub required_during_scheduling_ignored_during_execution: Vec<PodAffinityTerm>,
    /// The nodes with the largest sum of weights are preferred.
    #[serde(skip_serializing_if = "is_default")]
    pub preferred_during_scheduling_ignored_during_execution: Vec<WeightedPodAffinityTerm>,
}

/// Away from which pods a pod goes. It holds both ways: those pods are kept from where this one is, too.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct PodAntiAffinity {
    /// The pod goes to no node where one of these holds.
    #[serde(skip_serializing_if = "is_default")]
    pub required_during_scheduling_ignored_during_execution: Vec<PodAffinityTerm>,
    /// The nodes with the least sum of weights are preferred.
    #[serde(skip_serializing_if = "is_default")]
    pub preferred_during_scheduling_ignored_during_execution: Vec<WeightedPodAffinityTerm>,
}

/// Holds on a node where one of the selected pods is on a node with the same value of the label `topologyKey`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct PodAffinityTerm {
    /// Selects the pods by label; none where left out, all where empty.
    #[serde(skip_serializing_if = "is_default")]
    pub label_selector: Option<LabelSelector>,
    /// Their namespaces; the pod's own where neither this nor `namespaceSelector` is stated.
    #[serde(skip_serializing_if = "is_default")]
    pub namespaces: Vec<String>,
    /// The node's label that says what is one place: `kubernetes.io/hostname`, `topology.kubernetes.io/zone`, …
    pub topology_key: String,
    /// More namespaces, by label; all of them where empty.
    #[serde(skip_serializing_if = "is_default")]
    pub namespace_selector: Option<LabelSelector>,
    /// Labels in which the selected pods must equal this pod.
    #[serde(skip_serializing_if = "is_default")]
    pub match_label_keys: Vec<String>,
    /// Labels in which the selected pods must differ from this pod.
    #[serde(skip_serializing_if = "is_default")]
    pub mismatch_label_keys: Vec<String>,
}

/// Prefers the nodes on which the term holds (or does not, for anti-affinity).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct WeightedPodAffinityTerm {
    /// How much, 1 to 100.
    pub weight: i32,
    /// The term.
    pub pod_affinity_term: PodAffinityTerm,
}
