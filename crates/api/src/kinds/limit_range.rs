//! What single pods and containers of a namespace may ask for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ObjectMeta, ResourceList, is_default};

/// Bounds what single pods and containers of a namespace ask for, and says what those get that say nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct LimitRange {
    /// Name, labels and the like.
    pub metadata: ObjectMeta,
    /// Desired state.
    pub spec: LimitRangeSpec,
}

/// The bounds of a namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct LimitRangeSpec {
    /// The bounds, one entry a type.
    pub limits: Vec<LimitRangeItem>,
}

/// Bounds for pods as a whole or for each container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct LimitRangeItem {
    /// What the bounds are for.
    #[serde(rename = "type")]
    pub r#type: LimitType,
    /// The highest limit.
    #[serde(skip_serializing_if = "is_default")]
    pub max: ResourceList,
    /// The lowest request.
    #[serde(skip_serializing_if = "is_default")]
    pub min: ResourceList,
    /// The limit of containers that state none; for Container only.
    #[serde(skip_serializing_if = "is_default")]
    pub default: ResourceList,
    /// The request of containers that state none; the limit where not stated. For Container only.
    #[serde(skip_serializing_if = "is_default")]
    pub default_request: ResourceList,
    /// How many times the request a limit may be.
    #[serde(skip_serializing_if = "is_default")]
    pub max_limit_request_ratio: ResourceList,
}

/// What bounds are for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum LimitType {
    /// Each container.
    #[default]
    Container,
    /// The containers of a pod together.
    Pod,
}
