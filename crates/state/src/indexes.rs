//! Where to find objects by uid, by owner and by node, and how many pods each owner has.

use std::sync::Arc;

use imbl::{OrdMap, OrdSet};
use skep_api::{Kind, Object, ObjectKey};

use crate::{
    selection::{Selection, is_unmanaged},
    tallies::{PodGroup, Tallies},
};

/// Entries share the keys of the tables and the uids among themselves, so an entry is a few words.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Indexes {
    uids: OrdMap<Arc<str>, (Kind, Arc<ObjectKey>)>,
    /// Objects by owner; pods and replica sets that nobody manages are at the empty uid.
    owners: OrdSet<(Arc<str>, Kind, Arc<ObjectKey>)>,
    /// Pods by node; unbound pods are at the empty name.
    pods: OrdSet<(Arc<str>, Arc<ObjectKey>)>,
    /// Owners by what they select, and what they may take over.
    pub(crate) selection: Selection,
    tallies: Tallies,
}

impl Indexes {
    pub(crate) fn by_uid(&self, uid: &str) -> Option<(Kind, &ObjectKey)> {
        self.uids.get(uid).map(|(kind, key)| (*kind, &**key))
    }

    pub(crate) fn owned_by(&self, uid: &str) -> impl Iterator<Item = (Kind, &ObjectKey)> + use<'_> {
        let uid = self.shared_uid(uid);
        let first = (uid.clone(), Kind::ALL[0], Arc::default());
        self.owners
            .range(first..)
            .take_while(move |(owner, ..)| is_same(owner, &uid))
            .map(|(_, kind, key)| (*kind, &**key))
    }

    pub(crate) fn pods_on(&self, node: &str) -> impl Iterator<Item = &ObjectKey> + use<'_> {
        let node = self.shared_node(node);
        let first = (node.clone(), Arc::default());
        self.pods
            .range(first..)
            .take_while(move |(name, _)| is_same(name, &node))
            .map(|(_, key)| &**key)
    }

    pub(crate) fn pods_managed_by(&self, owner: &str) -> &[PodGroup] {
        self.tallies.of(owner)
    }

    /// Follows an object from one version to the next; `None` where it was not there or is no more.
    pub(crate) fn follow(&mut self, key: &Arc<ObjectKey>, before: Option<&Object>, after: Option<&Object>) {
        self.follow_uid(key, before, after);
        self.follow_owners(key, before, after);
        self.follow_node(key, before, after);
        self.selection.follow(key, before, after);
        self.tallies.follow(before, after);
    }

    fn follow_uid(&mut self, key: &Arc<ObjectKey>, before: Option<&Object>, after: Option<&Object>) {
        match (before, after) {
            (None, Some(object)) => {
                self.uids
                    .insert(object.meta().uid.as_str().into(), (object.kind(), key.clone()));
            }
            (Some(object), None) => {
                self.uids.remove(object.meta().uid.as_str());
            }
            _ => {}
        }
    }

    fn follow_owners(&mut self, key: &Arc<ObjectKey>, before: Option<&Object>, after: Option<&Object>) {
        if let (Some(old), Some(new)) = (before, after)
            && old.meta().owner_references == new.meta().owner_references
        {
            return;
        }
        let Some(kind) = before.or(after).map(Object::kind) else {
            return;
        };
        for owner in before.into_iter().flat_map(owners) {
            self.owners.remove(&(Arc::from(owner), kind, key.clone()));
        }
        for owner in after.into_iter().flat_map(owners) {
            let uid = self.shared_uid(owner);
            self.owners.insert((uid, kind, key.clone()));
        }
    }

    fn follow_node(&mut self, key: &Arc<ObjectKey>, before: Option<&Object>, after: Option<&Object>) {
        let (old, new) = (before.and_then(node_of), after.and_then(node_of));
        if old == new {
            return;
        }
        if let Some(node) = old {
            self.pods.remove(&(Arc::from(node), key.clone()));
        }
        if let Some(node) = new {
            let node = self.shared_node(node);
            self.pods.insert((node, key.clone()));
        }
    }

    fn shared_uid(&self, uid: &str) -> Arc<str> {
        self.uids
            .get_key_value(uid)
            .map_or_else(|| uid.into(), |(uid, _)| uid.clone())
    }

    fn shared_node(&self, node: &str) -> Arc<str> {
        let fresh: Arc<str> = node.into();
        let first = (fresh.clone(), Arc::default());
        self.pods
            .range(first..)
            .next()
            .filter(|(name, _)| *name == fresh)
            .map_or(fresh, |(name, _)| name.clone())
    }
}

/// Entries share their texts: mostly it is enough to look where they are.
fn is_same(one: &Arc<str>, other: &Arc<str>) -> bool {
    Arc::ptr_eq(one, other) || one == other
}

/// The uids of its owners; the empty one as well where none of them manages it.
fn owners(object: &Object) -> impl Iterator<Item = &str> {
    let meta = object.meta();
    let orphan = is_unmanaged(object);
    let uids = meta.owner_references.iter().map(|owner| owner.uid.as_str());
    uids.chain(orphan.then_some(""))
}

/// The node a pod is bound to, empty for none; `None` for other kinds.
fn node_of(object: &Object) -> Option<&str> {
    match object {
        Object::Pod(pod) => Some(&pod.spec.node_name),
        _ => None,
    }
}
