//! The cluster state and how it is read.

use std::{collections::BTreeMap, sync::Arc};

use skep_api::{Kind, LabelSelector, Object, ObjectKey, Pod, Resource};

use crate::{
    Compacted, StateEvent, history::History, indexes::Indexes, quotas::Quotas, requests::Requests,
    selection::selector_of, senders::Senders, table::Table, tallies::PodGroup,
};

/// Everything that is replicated, plus a bounded history of how it came to be.
///
/// A clone costs a few reference counts and does not change when the original does. Two states are equal where
/// their objects, revision and remembered answers are; the history does not count.
#[derive(Clone, Debug, Default)]
pub struct State {
    pub(crate) revision: u64,
    pub(crate) tables: [Table; Kind::ALL.len()],
    pub(crate) indexes: Indexes,
    pub(crate) quotas: Quotas,
    pub(crate) requests: Requests,
    pub(crate) senders: Senders,
    pub(crate) history: History,
}

impl State {
    /// The number of the last change; 0 before the first.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The object of this kind and name.
    pub fn object(&self, kind: Kind, key: &ObjectKey) -> Option<&Arc<Object>> {
        self.table(kind).get(key)
    }

    /// The object of this type and name.
    pub fn get<K: Resource>(&self, key: &ObjectKey) -> Option<&K> {
        self.object(K::KIND, key)
            .and_then(|object| K::from_object(object))
    }

    /// All objects of a kind, or those of one namespace, in the order of their keys.
    pub fn objects<'a>(
        &'a self,
        kind: Kind,
        namespace: Option<&'a str>,
    ) -> impl Iterator<Item = &'a Arc<Object>> + use<'a> {
        self.objects_after(kind, namespace, None)
    }

    /// As [`State::objects`], from the first key after `after`: the next page of a list.
    pub fn objects_after<'a>(
        &'a self,
        kind: Kind,
        namespace: Option<&'a str>,
        after: Option<&ObjectKey>,
    ) -> impl Iterator<Item = &'a Arc<Object>> + use<'a> {
        self.table(kind).range(namespace, after)
    }

    /// All objects of a type, or those of one namespace, in the order of their keys.
    pub fn list<'a, K: Resource>(
        &'a self,
        namespace: Option<&'a str>,
    ) -> impl Iterator<Item = &'a K> + use<'a, K> {
        self.objects(K::KIND, namespace)
            .filter_map(|object| K::from_object(object))
    }

    /// The pods that are bound to a node, whatever their phase.
    pub fn pods_on<'a>(&'a self, node: &str) -> impl Iterator<Item = &'a Pod> + use<'a> {
        self.indexes.pods_on(node).filter_map(|key| self.get(key))
    }

    /// The pods that are bound to no node, whatever their phase.
    pub fn unbound_pods(&self) -> impl Iterator<Item = &Pod> {
        self.pods_on("")
    }

    /// The objects with an owner reference to this uid.
    pub fn owned_by<'a>(&'a self, uid: &str) -> impl Iterator<Item = &'a Arc<Object>> + use<'a> {
        self.indexes
            .owned_by(uid)
            .filter_map(|(kind, key)| self.object(kind, key))
    }

    /// The pods, or replica sets, of a namespace that no owner manages and the selector matches; nothing for other kinds, or
    /// an empty selector.
    pub fn unmanaged<'a>(
        &'a self,
        kind: Kind,
        namespace: &'a str,
        selector: &'a LabelSelector,
    ) -> impl Iterator<Item = &'a Arc<Object>> + use<'a> {
        let by_label = self.indexes.selection.unmanaged(kind, namespace, selector);
        let all = by_label.is_none().then(|| self.indexes.owned_by(""));
        let all = all.into_iter().flatten();
        by_label
            .into_iter()
            .flatten()
            .chain(all.filter(move |(of, _)| *of == kind).map(|(_, key)| key))
            .filter(move |key| key.namespace == namespace && !selector.is_empty())
            .filter_map(move |key| self.object(kind, key))
            .filter(|object| selector.matches(&object.meta().labels))
    }

    /// The replica sets, or deployments, of a namespace whose selectors match these labels; nothing for other kinds, and no
    /// owner whose selector is empty.
    pub fn selecting<'a>(
        &'a self,
        kind: Kind,
        namespace: &'a str,
        labels: &'a BTreeMap<String, String>,
    ) -> impl Iterator<Item = &'a Arc<Object>> + use<'a> {
        let keys = self.indexes.selection.selecting(kind, namespace, labels);
        keys.filter(move |key| key.namespace == namespace)
            .filter_map(move |key| self.object(kind, key))
            .filter(|owner| {
                selector_of(owner).is_some_and(|selector| !selector.is_empty() && selector.matches(labels))
            })
    }

    /// The pods that the owner with this uid manages, counted by their labels: thousands cost as little as a few.
    pub fn pods_managed_by(&self, uid: &str) -> &[PodGroup] {
        self.indexes.pods_managed_by(uid)
    }

    /// The object with this uid.
    pub fn by_uid(&self, uid: &str) -> Option<&Arc<Object>> {
        self.indexes
            .by_uid(uid)
            .and_then(|(kind, key)| self.object(kind, key))
    }

    /// How many objects of a kind there are.
    pub fn count(&self, kind: Kind) -> usize {
        self.table(kind).len()
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.tables.iter().map(Table::len).sum()
    }

    /// True where there is no object at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What happened after a revision, oldest first: nothing for the present or a future revision.
    ///
    /// # Errors
    /// The history is bounded: [`Compacted`] where it no longer reaches back that far.
    pub fn changes_since(&self, revision: u64) -> Result<impl Iterator<Item = &Arc<StateEvent>>, Compacted> {
        self.history.since(revision)
    }

    pub(crate) fn table(&self, kind: Kind) -> &Table {
        &self.tables[kind as usize]
    }
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.revision == other.revision
            && self.tables == other.tables
            && self.requests == other.requests
            && self.senders == other.senders
    }
}
