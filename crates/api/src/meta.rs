//! Metadata that every object carries.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Kind, ObjectKey, Time, is_default};

/// Metadata that every object carries.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ObjectMeta {
    /// Name, unique within kind and namespace.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
    /// Prefix from which the server makes a unique name when `name` is empty.
    #[serde(skip_serializing_if = "is_default")]
    pub generate_name: String,
    /// Namespace; empty for cluster-scoped kinds.
    #[serde(skip_serializing_if = "is_default")]
    pub namespace: String,
    /// Unique in time and space: a new object of the same name has another one. Set by the server.
    #[serde(skip_serializing_if = "is_default")]
    pub uid: String,
    /// The revision of the last change, as a decimal string. Set by the server.
    #[serde(skip_serializing_if = "is_default")]
    pub resource_version: String,
    /// Counts changes of the desired state. Set by the server.
    #[serde(skip_serializing_if = "is_default")]
    pub generation: i64,
    /// When the object was created. Set by the server.
    #[serde(skip_serializing_if = "is_default")]
    pub creation_timestamp: Option<Time>,
    /// When deletion was asked for, plus the grace period. Set by the server.
    #[serde(skip_serializing_if = "is_default")]
    pub deletion_timestamp: Option<Time>,
    /// Seconds a deleted object has to end gracefully. Set by the server.
    #[serde(skip_serializing_if = "is_default")]
    pub deletion_grace_period_seconds: Option<i64>,
    /// Words to select by.
    #[serde(skip_serializing_if = "is_default")]
    pub labels: BTreeMap<String, String>,
    /// Notes for tools and people.
    #[serde(skip_serializing_if = "is_default")]
    pub annotations: BTreeMap<String, String>,
    /// Objects this one depends on: when all are gone, it is collected.
    #[serde(skip_serializing_if = "is_default")]
    pub owner_references: Vec<OwnerReference>,
    /// Names that must be removed before a deleted object goes away.
    #[serde(skip_serializing_if = "is_default")]
    pub finalizers: Vec<String>,
}

impl ObjectMeta {
    /// Namespace and name.
    pub fn key(&self) -> ObjectKey {
        ObjectKey::new(&self.namespace, &self.name)
    }

    /// Namespace, name and uid alone.
    #[must_use]
    pub fn identity(self) -> Self {
        Self {
            name: self.name,
            namespace: self.namespace,
            uid: self.uid,
            ..Self::default()
        }
    }

    /// The owner that manages this object, if any.
    pub fn controller(&self) -> Option<&OwnerReference> {
        self.owner_references.iter().find(|owner| owner.controller)
    }

    /// True where the two differ in nothing but the revision: what is wanted is the same, as the generation says.
    pub fn is_same_but_for_revision(&self, other: &Self) -> bool {
        [&self.name, &self.uid] == [&other.name, &other.uid] && self.is_like(other)
    }

    /// True where the two differ in nothing but name, uid and revision.
    pub fn is_like(&self, other: &Self) -> bool {
        let Self {
            name: _,
            generate_name,
            namespace,
            labels,
            annotations,
            uid: _,
            resource_version: _,
            generation,
            creation_timestamp,
            deletion_timestamp,
            deletion_grace_period_seconds,
            owner_references,
            finalizers,
        } = self;
        *generation == other.generation
            && *deletion_timestamp == other.deletion_timestamp
            && *deletion_grace_period_seconds == other.deletion_grace_period_seconds
            && *creation_timestamp == other.creation_timestamp
            && *labels == other.labels
            && *annotations == other.annotations
            && *finalizers == other.finalizers
            && *owner_references == other.owner_references
            && [generate_name, namespace] == [&other.generate_name, &other.namespace]
    }

    /// The last change's revision; 0 before the first.
    pub fn revision(&self) -> u64 {
        self.resource_version.parse().unwrap_or(0)
    }

    /// True once deletion was asked for.
    pub fn is_deleting(&self) -> bool {
        self.deletion_timestamp.is_some()
    }
}

/// A pointer from a dependent to its owner in the same namespace (or a cluster-scoped one).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct OwnerReference {
    /// API version of the owner.
    pub api_version: String,
    /// Kind of the owner.
    pub kind: String,
    /// Name of the owner.
    pub name: String,
    /// Uid of the owner.
    pub uid: String,
    /// True for the one owner that manages the dependent.
    #[serde(skip_serializing_if = "is_default")]
    pub controller: bool,
    /// True where the owner's foreground deletion waits for this dependent.
    #[serde(skip_serializing_if = "is_default")]
    pub block_owner_deletion: bool,
}

impl OwnerReference {
    /// A managing reference to the object with this kind and metadata.
    pub fn controller_of(kind: Kind, owner: &ObjectMeta) -> Self {
        Self {
            api_version: kind.api_version().to_owned(),
            kind: kind.as_str().to_owned(),
            name: owner.name.clone(),
            uid: owner.uid.clone(),
            controller: true,
            block_owner_deletion: true,
        }
    }
}
