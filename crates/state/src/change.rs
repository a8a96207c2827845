//! What is proposed to the log, and what came of it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use skep_api::{Kind, Object, ObjectKey, Time};

use crate::Sent;

/// One entry of the log: changes that ride together, each accepted or refused on its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// What asks for it. It is carried out once: the same id again changes nothing and answers as before. An entry of which
    /// nothing was accepted is not remembered, nor are empty ids.
    pub request_id: String,
    /// Which of its sender's proposals it is, where it may arrive more than once: whatever came of it, a copy changes nothing
    /// and is answered as the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<Sent>,
    /// The leader's clock when it proposed: the only time that `apply` knows.
    pub now: Time,
    /// Applied in this order.
    pub changes: Vec<Change>,
}

/// One wish, and what must hold for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// Refused with a conflict where it does not hold.
    #[serde(default)]
    pub only_if: Precondition,
    /// What to do.
    pub verb: Verb,
}

/// What must hold for a change to be accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Precondition {
    /// The object's uid.
    pub uid: Option<String>,
    /// The object's revision.
    pub revision: Option<u64>,
}

/// What to do with an object. The proposer has filled in name, uid and creation time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verb {
    /// Adds an object that is not there yet.
    Create(Box<Object>),
    /// Adds a pod like the one that was last said in full before it in the same entry, under a name and uid of its own.
    CreateLike {
        /// The pod's name.
        name: String,
        /// The pod's uid.
        uid: String,
    },
    /// Replaces all but the status; raises the generation where the desired state differs. An update that changes nothing
    /// takes no revision. Removing the last finalizer of an object that is being deleted removes the object.
    Update(Box<Object>),
    /// Replaces the status alone.
    UpdateStatus(Box<Object>),
    /// Asks for an object's end.
    Delete {
        /// Its kind.
        kind: Kind,
        /// Its namespace and name.
        key: ObjectKey,
        /// How.
        #[serde(default)]
        options: DeleteOptions,
    },
    /// Binds a pod that is bound nowhere to a node.
    Bind {
        /// The pod.
        pod: ObjectKey,
        /// The node's name.
        node: String,
    },
    /// All of these, in this order, or none: where one is refused, so is the whole. Its outcome is that of the last.
    All(Vec<Change>),
    /// Asks for a pod's end as far as the disruption budgets allow it: each budget that selects it has one disruption less.
    Evict {
        /// The pod.
        pod: ObjectKey,
        /// How.
        #[serde(default)]
        options: DeleteOptions,
    },
}

/// How an object is to end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct DeleteOptions {
    /// Seconds to end gracefully; a pod's own where `None`. 0 removes a pod at once. Other kinds have no grace.
    pub grace_seconds: Option<i64>,
    /// What becomes of the dependents.
    pub propagation: Propagation,
}

/// What becomes of the dependents of a deleted object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Propagation {
    /// They go after it.
    #[default]
    Background,
    /// They go before it: the finalizer `foregroundDeletion` holds it until then.
    Foreground,
    /// They stay: the finalizer `orphan` holds it until their references are removed.
    Orphan,
}

/// What came of one change.
pub type Outcome = Result<Applied, Refusal>;

/// A change that was accepted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Applied {
    /// The revision it got; the object's present one where nothing changed.
    pub revision: u64,
    /// The object after the change; as it last was where the change removed it.
    pub object: Arc<Object>,
    /// What happened to the object.
    pub effect: Effect,
}

/// What an accepted change did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// It was already so.
    Nothing,
    /// It is new.
    Added,
    /// It differs.
    Modified,
    /// It is gone.
    Removed,
}

/// Why a change was refused. Nothing was changed by it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
pub enum Refusal {
    /// There is an object of this name.
    #[error("{kind} {key} already exists")]
    AlreadyExists {
        /// Its kind.
        kind: Kind,
        /// Its namespace and name.
        key: ObjectKey,
    },
    /// There is no object of this name.
    #[error("{kind} {key} not found")]
    NotFound {
        /// Its kind.
        kind: Kind,
        /// Its namespace and name.
        key: ObjectKey,
    },
    /// The object is not as the precondition says: look again and retry.
    #[error("{kind} {key} has changed: {why}; read it again and retry")]
    Conflict {
        /// Its kind.
        kind: Kind,
        /// Its namespace and name.
        key: ObjectKey,
        /// What differs, in words.
        why: String,
    },
    /// The namespace is missing or ends, so nothing may be created in it.
    #[error("namespace {namespace} {why}: nothing can be created in it")]
    Namespace {
        /// Its name.
        namespace: String,
        /// `does not exist` or `is being deleted`.
        why: String,
    },
    /// A rule of the cluster forbids it, such as a quota.
    #[error("{kind} {key} is forbidden: {why}")]
    Forbidden {
        /// Its kind.
        kind: Kind,
        /// Its namespace and name.
        key: ObjectKey,
        /// Why, with the numbers.
        why: String,
    },
    /// A disruption budget does not allow to evict the pod now: it may later.
    #[error(
        "Cannot evict pod {pod} as it would violate the pod's disruption budget: the budget {budget} {why}"
    )]
    Disruption {
        /// The pod.
        pod: ObjectKey,
        /// The budget's name.
        budget: String,
        /// What is missing, in words.
        why: String,
    },
    /// The change makes no sense.
    #[error("{0}")]
    Invalid(String),
}

impl Change {
    /// A change without precondition.
    pub fn new(verb: Verb) -> Self {
        Self {
            only_if: Precondition::default(),
            verb,
        }
    }

    /// Creates the object.
    pub fn create(object: impl Into<Object>) -> Self {
        Self::new(Verb::Create(Box::new(object.into())))
    }

    /// Replaces all but the status, where the object still is the revision that `object` names.
    pub fn update(object: impl Into<Object>) -> Self {
        let object = object.into();
        Self {
            only_if: Precondition::of(&object),
            verb: Verb::Update(Box::new(object)),
        }
    }

    /// Replaces the status of the object with this uid, whatever its revision: status has one writer. Nothing else of the
    /// object goes onto the log.
    pub fn update_status(object: impl Into<Object>) -> Self {
        let object = object.into();
        let only_if = Precondition {
            uid: Some(object.meta().uid.clone()),
            revision: None,
        };
        Self {
            only_if,
            verb: Verb::UpdateStatus(Box::new(object.only_status())),
        }
    }

    /// Deletes the object with this uid.
    pub fn delete(object: &Object, options: DeleteOptions) -> Self {
        let only_if = Precondition {
            uid: Some(object.meta().uid.clone()),
            revision: None,
        };
        Self {
            only_if,
            verb: Verb::Delete {
                kind: object.kind(),
                key: object.key(),
                options,
            },
        }
    }
}

impl Precondition {
    /// Uid and revision as the object's metadata says.
    pub fn of(object: &Object) -> Self {
        let meta = object.meta();
        Self {
            uid: Some(meta.uid.clone()).filter(|uid| !uid.is_empty()),
            revision: Some(meta.revision()).filter(|revision| *revision > 0),
        }
    }
}
