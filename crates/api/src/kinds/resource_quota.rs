//! How much the objects of a namespace may take up together.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Condition, ObjectMeta, ResourceList, is_default};

/// Bounds what the objects of a namespace take up together. What would go beyond is not created; nothing is taken away.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ResourceQuota {
    /// Name, labels and the like.
    pub metadata: ObjectMeta,
    /// Desired state.
    pub spec: ResourceQuotaSpec,
    /// Observed state.
    #[serde(skip_serializing_if = "is_default")]
    pub status: ResourceQuotaStatus,
}

/// Desired state of a quota.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ResourceQuotaSpec {
    /// The most there may be: `cpu` (also `requests.cpu`), `limits.cpu`, `memory`, `ephemeral-storage`, `requests.nvidia.com/gpu`,
    /// `pods`, `configmaps`, `secrets`, `count/deployments.apps` and so on.
    #[serde(skip_serializing_if = "is_default")]
    pub hard: ResourceList,
    /// The pods that count: all of these must hold; every pod counts where there are none.
    #[serde(skip_serializing_if = "is_default")]
    pub scopes: Vec<ResourceQuotaScope>,
    /// The pods that count, by scopes with values.
    #[serde(skip_serializing_if = "is_default")]
    pub scope_selector: Option<ScopeSelector>,
}

/// Pods that count for a quota.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum ResourceQuotaScope {
    /// Those with `activeDeadlineSeconds`.
    #[default]
    Terminating,
    /// Those without.
    NotTerminating,
    /// Those that ask for nothing.
    BestEffort,
    /// Those that ask for something.
    NotBestEffort,
    /// Those of a priority class.
    PriorityClass,
    /// Those with affinity to pods of other namespaces.
    CrossNamespacePodAffinity,
}

/// Pods that count for a quota, by scopes with values; all must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ScopeSelector {
    /// The scopes.
    #[serde(skip_serializing_if = "is_default")]
    pub match_expressions: Vec<ScopedResourceSelectorRequirement>,
}

/// One scope with values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ScopedResourceSelectorRequirement {
    /// The scope.
    pub scope_name: ResourceQuotaScope,
    /// How the pod's value relates to `values`; Exists is the only one for scopes other than PriorityClass.
    pub operator: ScopeSelectorOperator,
    /// For In and NotIn: names of priority classes.
    #[serde(skip_serializing_if = "is_default")]
    pub values: Vec<String>,
}

/// How a pod's value relates to a scope.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ScopeSelectorOperator {
    /// The value is one of `values`.
    #[default]
    In,
    /// The value is none of `values`.
    NotIn,
    /// There is a value.
    Exists,
    /// There is none.
    DoesNotExist,
}

/// Observed state of a quota.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ResourceQuotaStatus {
    /// The most there may be.
    #[serde(skip_serializing_if = "is_default")]
    pub hard: ResourceList,
    /// What there is.
    #[serde(skip_serializing_if = "is_default")]
    pub used: ResourceList,
    /// How it is doing: Exceeded, where there is more than there may be.
    #[serde(skip_serializing_if = "is_default")]
    pub conditions: Vec<Condition>,
}
