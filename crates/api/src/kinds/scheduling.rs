//! How pods are spread over places, in which order they are placed, and what holds that up.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{LabelSelector, is_default};

/// How evenly the selected pods of the namespace are spread over the places that `topologyKey` tells apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct TopologySpreadConstraint {
    /// How many more pods a place may have than the one with the fewest; at least 1.
    pub max_skew: i32,
    /// The node's label that says what is one place: `kubernetes.io/hostname`, `topology.kubernetes.io/zone`, …
    pub topology_key: String,
    /// What happens to a pod that cannot be placed within the skew; it waits where not stated.
    pub when_unsatisfiable: UnsatisfiableConstraintAction,
    /// Selects the pods that are counted; none where left out.
    #[serde(skip_serializing_if = "is_default")]
    pub label_selector: Option<LabelSelector>,
    /// While there are fewer places than this, the fewest pods of a place count as 0. For DoNotSchedule only.
    #[serde(skip_serializing_if = "is_default")]
    pub min_domains: Option<i32>,
    /// Whether nodes that the pod's nodeSelector and nodeAffinity rule out are left out of the count; Honor where not stated.
    #[serde(skip_serializing_if = "is_default")]
    pub node_affinity_policy: NodeInclusionPolicy,
    /// Whether nodes with taints that the pod does not tolerate are left out of the count; Ignore where not stated.
    #[serde(skip_serializing_if = "NodeInclusionPolicy::is_ignore")]
    pub node_taints_policy: NodeInclusionPolicy,
    /// Labels in which the counted pods must equal this pod.
    #[serde(skip_serializing_if = "is_default")]
    pub match_label_keys: Vec<String>,
}

impl Default for TopologySpreadConstraint {
    fn default() -> Self {
        Self {
            max_skew: 0,
            topology_key: String::new(),
            when_unsatisfiable: UnsatisfiableConstraintAction::DoNotSchedule,
            label_selector: None,
            min_domains: None,
            node_affinity_policy: NodeInclusionPolicy::Honor,
            node_taints_policy: NodeInclusionPolicy::Ignore,
            match_label_keys: Vec::new(),
        }
    }
}

/// What happens to a pod that cannot be placed within the skew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum UnsatisfiableConstraintAction {
    /// It waits.
    #[default]
    DoNotSchedule,
    /// It is placed, rather where the skew is smaller.
    ScheduleAnyway,
}

/// Whether a rule of the pod decides which nodes are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum NodeInclusionPolicy {
    /// Nodes that the rule keeps the pod from are not counted.
    #[default]
    Honor,
    /// They are counted.
    Ignore,
}

impl NodeInclusionPolicy {
    fn is_ignore(&self) -> bool {
        *self == Self::Ignore
    }
}

/// Whether a pod may take the place of pods of lower priority.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PreemptionPolicy {
    /// It may.
    #[default]
    PreemptLowerPriority,
    /// It waits for room; it is still placed before pods of lower priority.
    Never,
}

/// Holds a pod back from being placed until it is removed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct PodSchedulingGate {
    /// Its name, unique within the pod.
    pub name: String,
}
