//! What a controller is given, and what it answers.

use std::{cell::OnceCell, collections::BTreeMap, time::Duration};

use skep_api::{EventType, ObjectKey, ObjectReference, Resource, Time};
use skep_state::{Change, State, StateEvent};

use crate::{Settings, node::Addresses};

/// Turns the present state into what should change about one object.
pub trait Controller: Send + Sync {
    /// A short name in Kubernetes' words, such as `deployment-controller`: the component in its events.
    fn name(&self) -> &'static str;

    /// The keys to reconcile after this event, which `state` has in it already. What a key means is the controller's own
    /// business; most are those of its kind.
    fn wakes(&self, state: &State, event: &StateEvent) -> Vec<ObjectKey>;

    /// The keys to reconcile when nothing is known about the past, as when a server begins to lead.
    fn all(&self, state: &State) -> Vec<ObjectKey>;

    /// What should change now. For a key that means nothing any more, nothing.
    fn reconcile(&self, ctx: &Context<'_>, key: &ObjectKey) -> Reconciled;
}

/// What a controller may look at.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The cluster as it is.
    pub state: &'a State,
    /// The leader's clock.
    pub now: Time,
    /// When nodes were last heard of, by name. A new leader grants every node a fresh lease.
    pub leases: &'a BTreeMap<String, Lease>,
    /// How the cluster is set up.
    pub settings: &'a Settings,
    /// What is found out once for all keys that are looked at together.
    pub shared: &'a Shared,
}

/// What is found out once for all keys that are looked at together: take a new one for another state or other settings.
#[derive(Debug, Default)]
pub struct Shared {
    pub(crate) addresses: OnceCell<Addresses>,
}

/// When a node was last heard of. Kept in the leader's memory, never on the log.
///
/// Once a lease has run out, the node's conditions are written as Unknown: whoever renews it afterwards writes the node's own
/// report again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lease {
    /// The last sign of life.
    pub renewed: Time,
}

/// What a controller wants.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reconciled {
    /// To be proposed, in this order. New objects may lack uid and creation time.
    pub changes: Vec<Change>,
    /// To be recorded.
    pub events: Vec<EventNote>,
    /// When to look at the key again though nothing changes, in place of what was asked for earlier; never where `None`.
    pub again_in: Option<Duration>,
    /// How long the key rests: a change of a status alone wakes it no earlier. All else does at once.
    pub rest: Duration,
}

impl Reconciled {
    /// Asks to be called again at `time`, unless it is to be earlier anyway.
    pub(crate) fn again_at(&mut self, now: Time, time: Time) {
        let wait = time.since(now);
        self.again_in = Some(self.again_in.map_or(wait, |earlier| earlier.min(wait)));
    }
}

/// Something to record about an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventNote {
    /// The object it happened to.
    pub regarding: ObjectReference,
    /// Whether somebody should look.
    pub r#type: EventType,
    /// Short machine-readable cause, in CamelCase.
    pub reason: String,
    /// What happened, in words.
    pub message: String,
    /// The part of skep that says so, such as `scheduler`.
    pub component: String,
}

impl EventNote {
    /// A note on ordinary work.
    pub fn normal<R: Resource>(
        object: &R,
        component: &str,
        reason: &str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            regarding: reference(object),
            r#type: EventType::Normal,
            reason: reason.to_owned(),
            message: message.into(),
            component: component.to_owned(),
        }
    }

    /// A note on something that is wrong or may go wrong.
    pub fn warning<R: Resource>(
        object: &R,
        component: &str,
        reason: &str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            r#type: EventType::Warning,
            ..Self::normal(object, component, reason, message)
        }
    }
}

fn reference<R: Resource>(object: &R) -> ObjectReference {
    let meta = object.meta();
    ObjectReference {
        api_version: R::KIND.api_version().to_owned(),
        kind: R::KIND.as_str().to_owned(),
        namespace: meta.namespace.clone(),
        name: meta.name.clone(),
        uid: meta.uid.clone(),
        ..ObjectReference::default()
    }
}
