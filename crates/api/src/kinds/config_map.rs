//! Non-secret configuration.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ObjectMeta, is_default};

/// Non-secret configuration for pods to read as variables or files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ConfigMap {
    /// Name, labels and the like.
    pub metadata: ObjectMeta,
    /// Text by key.
    #[serde(skip_serializing_if = "is_default")]
    pub data: BTreeMap<String, String>,
    /// Bytes by key, in base64; its keys and those of `data` must differ.
    #[serde(skip_serializing_if = "is_default")]
    pub binary_data: BTreeMap<String, String>,
    /// True where the data may never change again.
    #[serde(skip_serializing_if = "is_default")]
    pub immutable: bool,
}
