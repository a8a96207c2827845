//! Replica sets rolled from one revision to the next.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Condition, IntOrString, LabelSelector, ObjectMeta, PodTemplateSpec, is_default};

/// Keeps pods running and rolls them from one revision of their template to the next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Deployment {
    /// Name, labels and the like.
    pub metadata: ObjectMeta,
    /// Desired state.
    pub spec: DeploymentSpec,
    /// Observed state.
    #[serde(skip_serializing_if = "is_default")]
    pub status: DeploymentStatus,
}

/// Desired state of a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct DeploymentSpec {
    /// How many pods there should be; 1 where not stated.
    pub replicas: i32,
    /// Which pods belong to it; must match the template's labels and may not change.
    pub selector: LabelSelector,
    /// What its pods look like; a change starts a rollout.
    pub template: PodTemplateSpec,
    /// How old pods make way for new ones.
    pub strategy: DeploymentStrategy,
    /// Seconds a pod must have been ready to count as available.
    #[serde(skip_serializing_if = "is_default")]
    pub min_ready_seconds: i32,
    /// How many old revisions are kept for undo; 10 where not stated.
    pub revision_history_limit: i32,
    /// True where template changes wait and nothing is rolled.
    #[serde(skip_serializing_if = "is_default")]
    pub paused: bool,
    /// Seconds without progress after which a rollout counts as failed; 600 where not stated.
    pub progress_deadline_seconds: i32,
}

impl Default for DeploymentSpec {
    fn default() -> Self {
        Self {
            replicas: 1,
            selector: LabelSelector::default(),
            template: PodTemplateSpec::default(),
            strategy: DeploymentStrategy::default(),
            min_ready_seconds: 0,
            revision_history_limit: 10,
            paused: false,
            progress_deadline_seconds: 600,
        }
    }
}

/// How old pods make way for new ones.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct DeploymentStrategy {
    /// All at once, or step by step.
    #[serde(rename = "type")]
    pub r#type: DeploymentStrategyType,
    /// The steps' size; for RollingUpdate only.
    #[serde(skip_serializing_if = "is_default")]
    pub rolling_update: Option<RollingUpdateDeployment>,
}

/// How old pods make way for new ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeploymentStrategyType {
    /// New pods start while old ones stop, within bounds.
    #[default]
    RollingUpdate,
    /// All old pods stop before the first new one starts.
    Recreate,
}

/// Bounds of a rolling update; they may not both be nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct RollingUpdateDeployment {
    /// Pods that may be missing, a count or a percentage rounded down; 25% where not stated.
    pub max_unavailable: IntOrString,
    /// Pods that may be there in excess, a count or a percentage rounded up; 25% where not stated.
    pub max_surge: IntOrString,
}

impl Default for RollingUpdateDeployment {
    fn default() -> Self {
        Self {
            max_unavailable: IntOrString::from("25%"),
            max_surge: IntOrString::from("25%"),
        }
    }
}

/// Observed state of a deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct DeploymentStatus {
    /// The generation this status was made for.
    #[serde(skip_serializing_if = "is_default")]
    pub observed_generation: i64,
    /// Pods there are, of every revision.
    #[serde(skip_serializing_if = "is_default")]
    pub replicas: i32,
    /// Pods of the newest revision.
    #[serde(skip_serializing_if = "is_default")]
    pub updated_replicas: i32,
    /// Pods that are ready.
    #[serde(skip_serializing_if = "is_default")]
    pub ready_replicas: i32,
    /// Pods that have been ready for `minReadySeconds`.
    #[serde(skip_serializing_if = "is_default")]
    pub available_replicas: i32,
    /// Pods still missing for all to be available.
    #[serde(skip_serializing_if = "is_default")]
    pub unavailable_replicas: i32,
    /// How it is doing, one entry a type: Available, Progressing, ReplicaFailure.
    #[serde(skip_serializing_if = "is_default")]
    pub conditions: Vec<Condition>,
}
