//! How much pods matter compared with others.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ObjectMeta, PreemptionPolicy, is_default};

/// A name for how much pods matter: pods of a higher value are placed first, and may take the place of others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct PriorityClass {
    /// Name, labels and the like; names with the prefix `system-` are the cluster's own.
    pub metadata: ObjectMeta,
    /// The priority of pods of this class, at most 1000000000; it may not change.
    pub value: i32,
    /// True for the one class of pods that name none.
    #[serde(skip_serializing_if = "is_default")]
    pub global_default: bool,
    /// What the class is for.
    #[serde(skip_serializing_if = "is_default")]
    pub description: String,
    /// Whether its pods may take the place of others; PreemptLowerPriority where not stated. It may not change.
    #[serde(skip_serializing_if = "is_default")]
    pub preemption_policy: Option<PreemptionPolicy>,
}

impl PriorityClass {
    /// The highest value of a class that is not the cluster's own.
    pub const VALUE_MAX: i32 = 1_000_000_000;

    /// What the names of the cluster's own classes begin with.
    pub const SYSTEM_PREFIX: &'static str = "system-";

    /// For pods that the cluster cannot do without.
    pub const CLUSTER_CRITICAL: &'static str = "system-cluster-critical";

    /// For pods that a node cannot do without.
    pub const NODE_CRITICAL: &'static str = "system-node-critical";
}
