//! Garbage collection: dependents go with their owners, by uid.

use skep_api::{Object, ObjectKey, ObjectMeta, OwnerReference};
use skep_state::{
    Change, DeleteOptions, FOREGROUND_FINALIZER, ORPHAN_FINALIZER, Propagation, State, StateEvent,
};

use crate::{Context, Controller, Reconciled};

/// How many dependents are dealt with in one pass; the rest follows in the next.
const DEPENDENTS_PER_PASS_MAX: usize = 500;

/// Deletes what has lost all its owners, and serves the finalizers of foreground deletion and orphaning. Its keys are uids: of
/// objects that are there, or of owners that are gone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GarbageCollector;

impl Controller for GarbageCollector {
    fn name(&self) -> &'static str {
        "garbage-collector-controller"
    }

    fn wakes(&self, state: &State, event: &StateEvent) -> Vec<ObjectKey> {
        let (before, after) = (event.before.as_deref(), event.after.as_deref());
        let mut uids = Vec::new();
        match (before, after) {
            (Some(gone), None) => uids.push(&gone.meta().uid),
            (before, Some(after)) => {
                let owners = &after.meta().owner_references;
                let retied = before.is_none_or(|before| before.meta().owner_references != *owners);
                // An owner that goes later on tells of itself.
                if (retied && owners.iter().any(|owner| !is_present(state, after.meta(), owner)))
                    || is_held(after.meta())
                {
                    uids.push(&after.meta().uid);
                }
            }
            (None, None) => {}
        }
        // An owner that waits for its dependents looks again when one goes or is cut loose.
        let owners = before
            .into_iter()
            .flat_map(|object| &object.meta().owner_references);
        uids.extend(
            owners
                .map(|owner| &owner.uid)
                .filter(|uid| state.by_uid(uid).is_some_and(|owner| is_held(owner.meta()))),
        );
        uids.into_iter().map(ObjectKey::cluster).collect()
    }

    fn all(&self, state: &State) -> Vec<ObjectKey> {
        let objects = skep_api::Kind::ALL
            .into_iter()
            .flat_map(|kind| state.objects(kind, None));
        objects
            .map(|object| object.meta())
            .filter(|meta| !meta.owner_references.is_empty() || is_held(meta))
            .map(|meta| ObjectKey::cluster(&meta.uid))
            .collect()
    }

    fn reconcile(&self, ctx: &Context<'_>, key: &ObjectKey) -> Reconciled {
        let mut result = Reconciled::default();
        match ctx.state.by_uid(&key.name) {
            Some(object) => {
                result.changes.extend(without_owners(ctx.state, object));
                if has_finalizer(object.meta(), ORPHAN_FINALIZER) {
                    orphan_dependents(ctx.state, object, &mut result);
                } else if has_finalizer(object.meta(), FOREGROUND_FINALIZER) {
                    delete_dependents_first(ctx.state, object, &mut result);
                }
            }
            None => {
                let dependents = ctx.state.owned_by(&key.name).take(DEPENDENTS_PER_PASS_MAX);
                result
                    .changes
                    .extend(dependents.filter_map(|object| without_owners(ctx.state, object)));
            }
        }
        if result.changes.len() >= DEPENDENTS_PER_PASS_MAX {
            result.again_in = Some(std::time::Duration::ZERO);
        }
        result
    }
}

/// True for an owner that is being deleted and waits for its dependents.
fn is_held(meta: &ObjectMeta) -> bool {
    meta.is_deleting() && (has_finalizer(meta, FOREGROUND_FINALIZER) || has_finalizer(meta, ORPHAN_FINALIZER))
}

fn has_finalizer(meta: &ObjectMeta, name: &str) -> bool {
    meta.is_deleting() && meta.finalizers.iter().any(|finalizer| finalizer == name)
}

/// An object whose owners are all gone is deleted; one that keeps some forgets those that are gone.
fn without_owners(state: &State, object: &Object) -> Option<Change> {
    let meta = object.meta();
    if meta.owner_references.is_empty() || meta.is_deleting() {
        return None;
    }
    let (present, gone): (Vec<&OwnerReference>, Vec<&OwnerReference>) = meta
        .owner_references
        .iter()
        .partition(|owner| is_present(state, meta, owner));
    if gone.is_empty() {
        return None;
    }
    if present.is_empty() {
        return Some(Change::delete(object, DeleteOptions::default()));
    }
    let owners = present.into_iter().cloned().collect();
    Some(with_owners(object, owners))
}

/// An owner counts where it has the uid and is in the same namespace, or in none.
fn is_present(state: &State, dependent: &ObjectMeta, owner: &OwnerReference) -> bool {
    state.by_uid(&owner.uid).is_some_and(|owner| {
        let namespace = &owner.meta().namespace;
        namespace.is_empty() || *namespace == dependent.namespace
    })
}

fn with_owners(object: &Object, owners: Vec<OwnerReference>) -> Change {
    let mut object = object.clone();
    object.meta_mut().owner_references = owners;
    Change::update(object)
}

/// Cuts the dependents loose, then lets the owner go.
fn orphan_dependents(state: &State, owner: &Object, result: &mut Reconciled) {
    let uid = &owner.meta().uid;
    let mut dependents = state.owned_by(uid).take(DEPENDENTS_PER_PASS_MAX).peekable();
    if dependents.peek().is_none() {
        return result.changes.push(without_finalizer(owner, ORPHAN_FINALIZER));
    }
    for dependent in dependents {
        let others = dependent
            .meta()
            .owner_references
            .iter()
            .filter(|reference| reference.uid != *uid);
        result
            .changes
            .push(with_owners(dependent, others.cloned().collect()));
    }
}

/// Deletes the dependents, and lets the owner go once none is left that blocks it. A dependent with another owner that stays
/// only forgets this one.
fn delete_dependents_first(state: &State, owner: &Object, result: &mut Reconciled) {
    let uid = &owner.meta().uid;
    let mut blocked = false;
    for dependent in state.owned_by(uid) {
        let meta = dependent.meta();
        let (mine, others): (Vec<_>, Vec<_>) = meta
            .owner_references
            .iter()
            .partition(|reference| reference.uid == *uid);
        blocked |= mine.iter().any(|reference| reference.block_owner_deletion);
        if meta.is_deleting() || result.changes.len() >= DEPENDENTS_PER_PASS_MAX {
            continue;
        }
        if others.iter().any(|other| is_present(state, meta, other)) {
            result
                .changes
                .push(with_owners(dependent, others.into_iter().cloned().collect()));
        } else {
            let propagation = match state.owned_by(&meta.uid).next() {
                Some(_) => Propagation::Foreground,
                None => Propagation::Background,
            };
            let options = DeleteOptions {
                propagation,
                ..DeleteOptions::default()
            };
            result.changes.push(Change::delete(dependent, options));
        }
    }
    if !blocked {
        result
            .changes
            .push(without_finalizer(owner, FOREGROUND_FINALIZER));
    }
}

fn without_finalizer(object: &Object, name: &str) -> Change {
    let mut object = object.clone();
    object.meta_mut().finalizers.retain(|finalizer| finalizer != name);
    Change::update(object)
}
