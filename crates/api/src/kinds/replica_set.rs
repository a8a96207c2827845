//! A number of equal pods.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Condition, LabelSelector, ObjectMeta, PodTemplateSpec, is_default};

/// Keeps a number of equal pods running.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ReplicaSet {
    /// Name, labels and the like.
    pub metadata: ObjectMeta,
    /// Desired state.
    pub spec: ReplicaSetSpec,
    /// Observed state.
    #[serde(skip_serializing_if = "is_default")]
    pub status: ReplicaSetStatus,
}

/// Desired state of a replica set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ReplicaSetSpec {
    /// How many pods there should be; 1 where not stated.
    pub replicas: i32,
    /// Seconds a pod must have been ready to count as available.
    #[serde(skip_serializing_if = "is_default")]
    pub min_ready_seconds: i32,
    /// Which pods belong to it; must match the template's labels.
    pub selector: LabelSelector,
    /// What new pods look like.
    pub template: PodTemplateSpec,
}

impl Default for ReplicaSetSpec {
    fn default() -> Self {
        Self {
            replicas: 1,
            min_ready_seconds: 0,
            selector: LabelSelector::default(),
            template: PodTemplateSpec::default(),
        }
    }
}

/// Observed state of a replica set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ReplicaSetStatus {
    /// Pods there are.
    pub replicas: i32,
    /// Pods that carry all labels of the template.
    #[serde(skip_serializing_if = "is_default")]
    pub fully_labeled_replicas: i32,
    /// Pods that are ready.
    #[serde(skip_serializing_if = "is_default")]
    pub ready_replicas: i32,
    /// Pods that have been ready for `minReadySeconds`.
    #[serde(skip_serializing_if = "is_default")]
    pub available_replicas: i32,
    /// The generation this status was made for.
    #[serde(skip_serializing_if = "is_default")]
    pub observed_generation: i64,
    /// How it is doing, one entry a type.
    #[serde(skip_serializing_if = "is_default")]
    pub conditions: Vec<Condition>,
}
