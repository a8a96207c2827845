//! One aspect of how an object is doing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ConditionStatus, Time, is_default};

/// One aspect of how an object is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Condition {
    /// The aspect, such as `Available`.
    #[serde(rename = "type")]
    pub r#type: String,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// When it was last looked at.
    #[serde(skip_serializing_if = "is_default")]
    pub last_probe_time: Option<Time>,
    /// When anything in this condition last changed.
    #[serde(skip_serializing_if = "is_default")]
    pub last_update_time: Option<Time>,
    /// When `status` last changed.
    #[serde(skip_serializing_if = "is_default")]
    pub last_transition_time: Option<Time>,
    /// Short machine-readable cause, in CamelCase.
    #[serde(skip_serializing_if = "is_default")]
    pub reason: String,
    /// The cause in words.
    #[serde(skip_serializing_if = "is_default")]
    pub message: String,
}
