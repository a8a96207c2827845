//! How many pods may be away at the same time of somebody's own will.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Condition, IntOrString, LabelSelector, ObjectMeta, Time, is_default};

/// Bounds how many of some pods may be evicted at the same time, as by `skep drain`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct PodDisruptionBudget {
    /// Name, labels and the like.
    pub metadata: ObjectMeta,
    /// Desired state.
    pub spec: PodDisruptionBudgetSpec,
    /// Observed state.
    #[serde(skip_serializing_if = "is_default")]
    pub status: PodDisruptionBudgetStatus,
}

/// Desired state of a disruption budget; `minAvailable` and `maxUnavailable` exclude each other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct PodDisruptionBudgetSpec {
    /// How many pods must stay healthy, a count or a percentage rounded up.
    #[serde(skip_serializing_if = "is_default")]
    pub min_available: Option<IntOrString>,
    /// How many pods may be away or unhealthy, a count or a percentage rounded up.
    #[serde(skip_serializing_if = "is_default")]
    pub max_unavailable: Option<IntOrString>,
    /// The pods of the namespace it is about: none where left out, all where empty.
    #[serde(skip_serializing_if = "is_default")]
    pub selector: Option<LabelSelector>,
    /// When pods that run and are not ready may be evicted; IfHealthyBudget where not stated.
    #[serde(skip_serializing_if = "is_default")]
    pub unhealthy_pod_eviction_policy: Option<UnhealthyPodEvictionPolicy>,
}

/// When pods that run and are not ready may be evicted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum UnhealthyPodEvictionPolicy {
    /// While enough others are healthy.
    #[default]
    IfHealthyBudget,
    /// Always.
    AlwaysAllow,
}

/// Observed state of a disruption budget.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct PodDisruptionBudgetStatus {
    /// The generation this status was made for.
    #[serde(skip_serializing_if = "is_default")]
    pub observed_generation: i64,
    /// Pods whose eviction was granted and not yet seen, and when it was.
    #[serde(skip_serializing_if = "is_default")]
    pub disrupted_pods: BTreeMap<String, Time>,
    /// How many more may be evicted now.
    pub disruptions_allowed: i32,
    /// How many are healthy.
    pub current_healthy: i32,
    /// How many must be.
    pub desired_healthy: i32,
    /// How many there should be.
    pub expected_pods: i32,
    /// How it is doing: DisruptionAllowed.
    #[serde(skip_serializing_if = "is_default")]
    pub conditions: Vec<Condition>,
}

impl PodDisruptionBudget {
    /// True where the budget is about pods with these labels in its namespace.
    pub fn selects(&self, labels: &BTreeMap<String, String>) -> bool {
        self.spec
            .selector
            .as_ref()
            .is_some_and(|selector| selector.matches(labels))
    }
}
