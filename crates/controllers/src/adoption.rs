//! Adoption: pods and replica sets without owner go to the one that selects them; those it no longer selects are released.

use std::sync::Arc;

use skep_api::{Kind, LabelSelector, Object, ObjectKey, ObjectMeta, OwnerReference};
use skep_state::{Change, State, StateEvent};

use crate::{Context, Controller, Reconciled};

/// Gives pods and replica sets to the owner that selects them. Its keys are uids.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AdoptionController;

impl Controller for AdoptionController {
    fn name(&self) -> &'static str {
        "adoption-controller"
    }

    fn wakes(&self, state: &State, event: &StateEvent) -> Vec<ObjectKey> {
        let Some(after) = event.after.as_deref() else {
            return Vec::new();
        };
        let mut keys = Vec::new();
        let retied = || event.before.as_deref().is_none_or(|old| tied(old) != tied(after));
        // Nearly all are made by their owner, and stay with it.
        if owner_kind(event.kind).is_some() && retied() && references(state, after).is_some() {
            keys.push(ObjectKey::cluster(&after.meta().uid));
        }
        if event.before.is_none()
            && let Some((dependents, selector)) = selects(after)
        {
            let objects = state.unmanaged(dependents, &event.key.namespace, selector);
            let orphans = objects
                .map(|object| object.meta())
                .filter(|meta| !meta.is_deleting());
            keys.extend(orphans.map(|meta| ObjectKey::cluster(&meta.uid)));
        }
        keys
    }

    fn all(&self, state: &State) -> Vec<ObjectKey> {
        let kinds = [Kind::Pod, Kind::ReplicaSet].into_iter();
        let objects = kinds.flat_map(|kind| state.objects(kind, None));
        objects
            .filter(|object| references(state, object).is_some())
            .map(|object| ObjectKey::cluster(&object.meta().uid))
            .collect()
    }

    fn reconcile(&self, ctx: &Context<'_>, key: &ObjectKey) -> Reconciled {
        let mut result = Reconciled::default();
        let Some(object) = ctx.state.by_uid(&key.name) else {
            return result;
        };
        if let Some(references) = references(ctx.state, object) {
            let mut object = Object::clone(object);
            object.meta_mut().owner_references = references;
            result.changes.push(Change::update(object));
        }
        result
    }
}

/// The owner references that the object should have; `None` where it has them.
fn references(state: &State, object: &Object) -> Option<Vec<OwnerReference>> {
    let owner_kind = owner_kind(object.kind())?;
    let meta = object.meta();
    if meta.is_deleting() {
        return None;
    }
    match meta.controller() {
        None => adopted(state, owner_kind, object),
        Some(owner) if owner.kind == owner_kind.as_str() => released(state, meta, owner),
        Some(_) => None,
    }
}

/// The kind of owner that selects objects of this kind.
fn owner_kind(kind: Kind) -> Option<Kind> {
    match kind {
        Kind::Pod => Some(Kind::ReplicaSet),
        Kind::ReplicaSet => Some(Kind::Deployment),
        _ => None,
    }
}

/// What an owner selects, and of which kind.
fn selects(owner: &Object) -> Option<(Kind, &LabelSelector)> {
    match owner {
        Object::ReplicaSet(owner) => Some((Kind::Pod, &owner.spec.selector)),
        Object::Deployment(owner) => Some((Kind::ReplicaSet, &owner.spec.selector)),
        _ => None,
    }
}

/// What decides whose an object is.
fn tied(object: &Object) -> impl PartialEq + use<'_> {
    let meta = object.meta();
    (&meta.labels, &meta.owner_references, meta.is_deleting())
}

/// The references with the oldest owner that selects the orphan; `None` where there is none.
fn adopted(state: &State, owner_kind: Kind, orphan: &Object) -> Option<Vec<OwnerReference>> {
    if matches!(orphan, Object::Pod(pod) if pod.is_terminal()) {
        return None;
    }
    let meta = orphan.meta();
    let owner = state
        .selecting(owner_kind, &meta.namespace, &meta.labels)
        .filter(|owner| !owner.meta().is_deleting())
        .min_by_key(|owner| (owner.meta().creation_timestamp, &owner.meta().name))?;
    let mut references = meta.owner_references.clone();
    references.retain(|reference| reference.uid != owner.meta().uid);
    references.push(OwnerReference::controller_of(owner_kind, owner.meta()));
    Some(references)
}

/// The references without the owner that no longer selects the object; `None` where it still does, or is gone or going.
fn released(state: &State, meta: &ObjectMeta, owner: &OwnerReference) -> Option<Vec<OwnerReference>> {
    let object = state.by_uid(&owner.uid)?;
    let (_, selector) = selects(object)?;
    if selector.matches(&meta.labels) || object.meta().is_deleting() {
        return None;
    }
    let others = meta
        .owner_references
        .iter()
        .filter(|reference| reference.uid != owner.uid);
    Some(others.cloned().collect())
}

/// The owners of this kind that may wait for an object without owner that now has one, is going or gone: they may go on.
pub(crate) fn waiting_for<'a>(
    state: &'a State,
    event: &'a StateEvent,
    kind: Kind,
) -> impl Iterator<Item = &'a Arc<Object>> + use<'a> {
    let orphan = |object: &&Object| object.meta().controller().is_none() && !object.meta().is_deleting();
    let was = event.before.as_deref().filter(orphan);
    let is = event.after.as_deref().filter(orphan);
    let left = was.filter(|_| is.is_none());
    left.into_iter().flat_map(move |object| {
        let meta = object.meta();
        state.selecting(kind, &meta.namespace, &meta.labels)
    })
}
