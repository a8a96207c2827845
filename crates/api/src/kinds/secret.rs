//! Secret configuration.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ObjectMeta, is_default};

/// The type of a secret that has no stated type.
pub const OPAQUE_SECRET: &str = "Opaque";

/// The type of a secret that holds credentials for image registries.
pub const DOCKER_CONFIG_JSON_SECRET: &str = "kubernetes.io/dockerconfigjson";

/// Secret configuration for pods to read as variables or files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Secret {
    /// Name, labels and the like.
    pub metadata: ObjectMeta,
    /// Bytes by key, in base64.
    #[serde(skip_serializing_if = "is_default")]
    pub data: BTreeMap<String, String>,
    /// Text by key, written to `data` when the secret is stored; never read back.
    #[serde(skip_serializing_if = "is_default")]
    pub string_data: BTreeMap<String, String>,
    /// What the data is for: `Opaque`, `kubernetes.io/dockerconfigjson`, …
    #[serde(skip_serializing_if = "is_default", rename = "type")]
    pub r#type: String,
    /// True where the data may never change again.
    #[serde(skip_serializing_if = "is_default")]
    pub immutable: bool,
}
