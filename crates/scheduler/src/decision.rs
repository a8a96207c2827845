//! What is decided for a pending pod.

use skep_api::ObjectKey;

use crate::explain::Explanation;

/// What is decided for a pending pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The pod's namespace and name.
    pub key: ObjectKey,
    /// The pod's uid.
    pub uid: String,
    /// Where it goes, or why it waits.
    pub outcome: Outcome,
}

/// Where a pod goes, or why it waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It fits on this node.
    Bind {
        /// The node's name.
        node: String,
    },
    /// It fits on this node once these pods are gone: they are to be evicted, and the pod's `status.nominatedNodeName` is to
    /// name the node. It waits meanwhile; its room is kept against pods of its own and of lower priority.
    Preempt {
        /// The node's name.
        node: String,
        /// Whom to evict, the most important first. Empty where those that stand in the way are on their way out already.
        victims: Vec<Victim>,
        /// Why it fits nowhere; for pods of one template, as it was for the first of them in the batch.
        why: Box<Explanation>,
    },
    /// It fits on no node.
    Wait(Box<Explanation>),
}

/// A pod that is to make room for another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Victim {
    /// Its namespace and name.
    pub key: ObjectKey,
    /// Its uid.
    pub uid: String,
    /// Its priority, always lower than that of the pod it makes room for.
    pub priority: i32,
    /// True where a disruption budget had nothing left for it: no other choice was better.
    pub violates_budget: bool,
}

impl Outcome {
    /// The node it is to be bound to now.
    pub fn bound_to(&self) -> Option<&str> {
        match self {
            Self::Bind { node } => Some(node),
            Self::Preempt { .. } | Self::Wait(_) => None,
        }
    }

    /// Why it is not bound now.
    pub fn explanation(&self) -> Option<&Explanation> {
        match self {
            Self::Bind { .. } => None,
            Self::Preempt { why, .. } | Self::Wait(why) => Some(why),
        }
    }
}
