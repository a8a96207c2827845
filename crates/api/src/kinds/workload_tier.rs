//! How a sort of workload is run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{IntOrString, ObjectMeta, UnsatisfiableConstraintAction, is_default};

/// How a sort of workload is run. Pods with the label `skep.io/tier` get from their tier what they leave open.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct WorkloadTier {
    /// Name, labels and the like; the name is what the label `skep.io/tier` says.
    pub metadata: ObjectMeta,
    /// Desired state.
    pub spec: WorkloadTierSpec,
}

/// What the pods of a tier get where they leave it open.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct WorkloadTierSpec {
    /// What the tier is for.
    #[serde(skip_serializing_if = "is_default")]
    pub description: String,
    /// The disruption budget of each workload, where none of yours selects its pods.
    #[serde(skip_serializing_if = "is_default")]
    pub disruption_budget: Option<TierDisruptionBudget>,
    /// How the pods of a workload are spread, where they say nothing of spreading or of affinity between pods.
    #[serde(skip_serializing_if = "is_default")]
    pub spread: Option<TierSpread>,
    /// The priority class of pods that name none.
    #[serde(skip_serializing_if = "is_default")]
    pub priority_class_name: String,
    /// The pool of nodes of pods that choose none: what the nodes' label `skep.io/pool` says.
    #[serde(skip_serializing_if = "is_default")]
    pub node_pool: String,
    /// The requests of containers that state a limit and no request, in percent of the limit.
    #[serde(skip_serializing_if = "is_default")]
    pub requests_percent_of_limits: Option<i32>,
}

/// The disruption budget of a workload; exactly one field is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct TierDisruptionBudget {
    /// How many pods must stay healthy, a count or a percentage rounded up.
    #[serde(skip_serializing_if = "is_default")]
    pub min_available: Option<IntOrString>,
    /// How many pods may be away or unhealthy, a count or a percentage rounded up.
    #[serde(skip_serializing_if = "is_default")]
    pub max_unavailable: Option<IntOrString>,
}

/// How the pods of a workload are spread.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct TierSpread {
    /// The node's label that says what is one place: `topology.kubernetes.io/zone`, `kubernetes.io/hostname`, …
    pub topology_key: String,
    /// How many more pods a place may have than the one with the fewest; 1 where not stated.
    pub max_skew: i32,
    /// What happens to a pod that cannot be placed within the skew; it waits where not stated.
    pub when_unsatisfiable: UnsatisfiableConstraintAction,
}

impl Default for TierSpread {
    fn default() -> Self {
        Self {
            topology_key: String::new(),
            max_skew: 1,
            when_unsatisfiable: UnsatisfiableConstraintAction::DoNotSchedule,
        }
    }
}
