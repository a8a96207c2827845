//! Something that happened to an object.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ObjectMeta, Time, is_default};

/// Something that happened to an object; the same happening again raises `count`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Event {
    /// Name, labels and the like.
    pub metadata: ObjectMeta,
    /// The object it happened to.
    pub involved_object: ObjectReference,
    /// Short machine-readable cause, in CamelCase.
    #[serde(skip_serializing_if = "is_default")]
    pub reason: String,
    /// What happened, in words.
    #[serde(skip_serializing_if = "is_default")]
    pub message: String,
    /// The part that reported it.
    #[serde(skip_serializing_if = "is_default")]
    pub source: EventSource,
    /// When it happened first.
    #[serde(skip_serializing_if = "is_default")]
    pub first_timestamp: Option<Time>,
    /// When it happened last.
    #[serde(skip_serializing_if = "is_default")]
    pub last_timestamp: Option<Time>,
    /// How often it happened.
    #[serde(skip_serializing_if = "is_default")]
    pub count: i32,
    /// Whether somebody should look.
    #[serde(rename = "type")]
    pub r#type: EventType,
}

/// A pointer to an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ObjectReference {
    /// API version of the object.
    #[serde(skip_serializing_if = "is_default")]
    pub api_version: String,
    /// Kind of the object.
    #[serde(skip_serializing_if = "is_default")]
    pub kind: String,
    /// Namespace of the object; empty for cluster-scoped kinds.
    #[serde(skip_serializing_if = "is_default")]
    pub namespace: String,
    /// Name of the object.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
    /// Uid of the object.
    #[serde(skip_serializing_if = "is_default")]
    pub uid: String,
    /// Revision of the object that is meant.
    #[serde(skip_serializing_if = "is_default")]
    pub resource_version: String,
    /// The part of the object that is meant, such as `spec.containers{web}`.
    #[serde(skip_serializing_if = "is_default")]
    pub field_path: String,
}

/// The part that reported an event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct EventSource {
    /// The part of skep, such as `scheduler`.
    #[serde(skip_serializing_if = "is_default")]
    pub component: String,
    /// The node it runs on.
    #[serde(skip_serializing_if = "is_default")]
    pub host: String,
}

/// Whether somebody should look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum EventType {
    /// Part of ordinary work.
    #[default]
    Normal,
    /// Something is wrong or may go wrong.
    Warning,
}
