//! Where to find who selects an object, and what an owner selects, without a look at everybody else.
//!
//! An owner is filed under one label that its selector asks for; whoever has that label may be its. An object that nobody
//! manages is filed under each of its labels. What is found is looked at again: a label's number may be that of another one.

use std::{collections::BTreeMap, sync::Arc};

use imbl::OrdSet;
use skep_api::{Kind, LabelSelector, Object, ObjectKey, ObjectMeta};

/// Labels are known by a number, so an entry is a few words.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Selection {
    owners: Filed,
    unmanaged: Filed,
}

type Filed = OrdSet<(Kind, u64, Arc<ObjectKey>)>;

/// Stands for any label at all: no label has an empty key.
const ANY: (&str, &str) = ("", "");

impl Selection {
    /// The owners of this kind that may select an object with these labels; each of them once.
    pub(crate) fn selecting<'a>(
        &'a self,
        kind: Kind,
        namespace: &'a str,
        labels: &'a BTreeMap<String, String>,
    ) -> impl Iterator<Item = &'a ObjectKey> + use<'a> {
        let labels = labels.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let numbers = labels.chain([ANY]).map(move |label| number(namespace, label));
        numbers.flat_map(move |number| under(&self.owners, kind, number))
    }

    /// The objects of this kind that nobody manages and the selector may select; `None` for all of them, where no label
    /// says more.
    pub(crate) fn unmanaged<'a>(
        &'a self,
        kind: Kind,
        namespace: &str,
        selector: &LabelSelector,
    ) -> Option<impl Iterator<Item = &'a ObjectKey> + use<'a>> {
        let labels = selector.match_labels.iter();
        let numbers = labels.map(|(key, value)| number(namespace, (key, value)));
        let rarest = self.rarest(kind, numbers.collect())?;
        Some(under(&self.unmanaged, kind, rarest))
    }

    /// The label that the fewest objects have.
    fn rarest(&self, kind: Kind, numbers: Vec<u64>) -> Option<u64> {
        let mut files: Vec<_> = numbers
            .into_iter()
            .map(|number| (number, under(&self.unmanaged, kind, number)))
            .collect();
        // All are gone through at the same pace: the shortest ends it.
        while !files.is_empty() {
            for (number, file) in &mut files {
                if file.next().is_none() {
                    return Some(*number);
                }
            }
        }
        None
    }

    /// Follows an object from one version to the next; `None` where it was not there or is no more.
    pub(crate) fn follow(&mut self, key: &Arc<ObjectKey>, before: Option<&Object>, after: Option<&Object>) {
        let Some(kind) = before.or(after).map(Object::kind) else {
            return;
        };
        let (old, new) = (before.and_then(selector_of), after.and_then(selector_of));
        if old != new {
            let number = |selector: &LabelSelector| number(&key.namespace, telling(selector));
            refile(
                &mut self.owners,
                kind,
                key,
                old.into_iter().map(number),
                new.into_iter().map(number),
            );
        }
        let (old, new) = (
            before.and_then(unmanaged_labels),
            after.and_then(unmanaged_labels),
        );
        if old != new {
            let numbers = |labels: &BTreeMap<String, String>| -> Vec<u64> {
                let labels = labels.iter();
                labels
                    .map(|(name, value)| number(&key.namespace, (name, value)))
                    .collect()
            };
            let (old, new) = (old.map(numbers), new.map(numbers));
            let flat = |numbers: Option<Vec<u64>>| numbers.into_iter().flatten();
            refile(&mut self.unmanaged, kind, key, flat(old), flat(new));
        }
    }
}

/// What an owner selects.
pub(crate) fn selector_of(owner: &Object) -> Option<&LabelSelector> {
    match owner {
        Object::ReplicaSet(set) => Some(&set.spec.selector),
        Object::Deployment(deployment) => Some(&deployment.spec.selector),
        _ => None,
    }
}

/// True for what is taken over by the owner that selects it.
pub(crate) fn is_unmanaged(object: &Object) -> bool {
    managed(object.kind()) && object.meta().controller().is_none()
}

/// Kinds whose objects are taken over by the owner that selects them.
fn managed(kind: Kind) -> bool {
    matches!(kind, Kind::Pod | Kind::ReplicaSet)
}

fn unmanaged_labels(object: &Object) -> Option<&BTreeMap<String, String>> {
    let ObjectMeta { labels, .. } = object.meta();
    is_unmanaged(object).then_some(labels)
}

/// The label under which an owner is filed: the longest, which the fewest share.
fn telling(selector: &LabelSelector) -> (&str, &str) {
    let labels = selector.match_labels.iter();
    let longest = labels.max_by_key(|(key, value)| key.len() + value.len());
    longest.map_or(ANY, |(key, value)| (key, value))
}

fn refile(
    filed: &mut Filed,
    kind: Kind,
    key: &Arc<ObjectKey>,
    old: impl Iterator<Item = u64>,
    new: impl Iterator<Item = u64>,
) {
    for number in old {
        filed.remove(&(kind, number, key.clone()));
    }
    filed.extend(new.map(|number| (kind, number, key.clone())));
}

fn under(filed: &Filed, kind: Kind, number: u64) -> impl Iterator<Item = &ObjectKey> {
    let first = (kind, number, Arc::default());
    filed
        .range(first..)
        .take_while(move |(of, under, _)| (*of, *under) == (kind, number))
        .map(|(.., key)| &**key)
}

/// A label of a namespace as a number: FNV-1a of 64 bits over its parts, each ended by a byte that no text has in it.
fn number(namespace: &str, (key, value): (&str, &str)) -> u64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut take = |byte: u8| hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    for part in [namespace, key, value] {
        part.bytes().for_each(&mut take);
        take(0xff);
    }
    hash
}
