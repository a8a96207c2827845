//! A space of names.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ObjectMeta, is_default};

/// A space of names: most kinds live in one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Namespace {
    /// Name, labels and the like.
    pub metadata: ObjectMeta,
    /// Desired state.
    #[serde(skip_serializing_if = "is_default")]
    pub spec: NamespaceSpec,
    /// Observed state.
    #[serde(skip_serializing_if = "is_default")]
    pub status: NamespaceStatus,
}

/// Desired state of a namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct NamespaceSpec {
    /// Names that must be removed before the namespace goes away; `kubernetes` stands for its contents.
    #[serde(skip_serializing_if = "is_default")]
    pub finalizers: Vec<String>,
}

/// Observed state of a namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct NamespaceStatus {
    /// Whether objects may be created in it.
    pub phase: NamespacePhase,
}

/// Whether objects may be created in a namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum NamespacePhase {
    /// In use.
    #[default]
    Active,
    /// Being deleted: nothing new may be created in it.
    Terminating,
}
