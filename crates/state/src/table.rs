//! The objects of one kind, in the order of their keys.

use std::ops::Bound;
use std::sync::Arc;

use imbl::OrdMap;
use skep_api::{Object, ObjectKey};

/// How much of a key is held inline.
const HEAD_BYTES: usize = 32;

/// Persistent: a clone shares everything and is cheap.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Table(OrdMap<Place, Row>);

#[derive(Clone, Debug)]
struct Row {
    key: Arc<ObjectKey>,
    object: Arc<Object>,
}

impl Table {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn get(&self, key: &ObjectKey) -> Option<&Arc<Object>> {
        self.0.get(&Place::of(key)).map(|row| &row.object)
    }

    /// Puts the object in its place; the key to share, and the object that was there.
    pub(crate) fn put(&mut self, object: Arc<Object>) -> (Arc<ObjectKey>, Option<Arc<Object>>) {
        let key = object.key();
        let place = Place::of(&key);
        if let Some(row) = self.0.get_mut(&place) {
            let before = std::mem::replace(&mut row.object, object);
            return (row.key.clone(), Some(before));
        }
        let key = Arc::new(key);
        let row = Row {
            key: key.clone(),
            object,
        };
        self.0.insert(place, row);
        (key, None)
    }

    pub(crate) fn remove(&mut self, key: &ObjectKey) -> Option<(Arc<ObjectKey>, Arc<Object>)> {
        self.0.remove(&Place::of(key)).map(|row| (row.key, row.object))
    }

    /// All objects, or those of one namespace, from the first key after `after`.
    pub(crate) fn range<'a>(
        &'a self,
        namespace: Option<&str>,
        after: Option<&ObjectKey>,
    ) -> impl Iterator<Item = &'a Arc<Object>> + use<'a> {
        let after = after.map(Place::of);
        let (first, end) = (
            namespace.map(Place::before_all_of),
            namespace.map(Place::after_all_of),
        );
        let from = match (after, first) {
            (Some(after), Some(first)) if after < first => Bound::Included(first),
            (Some(after), _) => Bound::Excluded(after),
            (None, Some(first)) => Bound::Included(first),
            (None, None) => Bound::Unbounded,
        };
        // A range that ends before it begins is empty, not a panic.
        let nothing = matches!((&from, &end), (Bound::Excluded(from), Some(end)) if from >= end);
        let to = end.map_or(Bound::Unbounded, Bound::Excluded);
        let rows = (!nothing).then(|| self.0.range((from, to)));
        rows.into_iter().flatten().map(|(_, row)| &row.object)
    }
}

impl PartialEq for Row {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.object, &other.object) || self.object == other.object
    }
}

/// A key as the tables sort it: namespace, a zero byte, name. The first bytes are held inline, as numbers that sort as they
/// do, so that comparing keys takes a few instructions and seldom leaves the node they lie in; most keys fit in whole.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    head: [u64; HEAD_BYTES / 8],
    tail: Option<Arc<[u8]>>,
}

impl Place {
    fn of(key: &ObjectKey) -> Self {
        Self::new([key.namespace.as_bytes(), &[0], key.name.as_bytes()])
    }

    fn before_all_of(namespace: &str) -> Self {
        Self::new([namespace.as_bytes(), &[0], &[]])
    }

    fn after_all_of(namespace: &str) -> Self {
        Self::new([namespace.as_bytes(), &[1], &[]])
    }

    fn new(parts: [&[u8]; 3]) -> Self {
        let (mut head, mut at) = ([0; HEAD_BYTES], 0);
        let mut tail = Vec::new();
        for part in parts {
            let inline = part.len().min(head.len() - at);
            head[at..at + inline].copy_from_slice(&part[..inline]);
            at += inline;
            tail.extend_from_slice(&part[inline..]);
        }
        let (words, _) = head.as_chunks();
        let mut head = [0; HEAD_BYTES / 8];
        for (word, bytes) in head.iter_mut().zip(words) {
            *word = u64::from_be_bytes(*bytes);
        }
        Self {
            head,
            tail: (!tail.is_empty()).then(|| tail.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn places_sort_as_their_keys_do(
            a in ("[a-c.-]{0,40}", "[a-c.-]{1,40}"),
            b in ("[a-c.-]{0,40}", "[a-c.-]{1,40}"),
        ) {
            let (a, b) = (ObjectKey::new(a.0, a.1), ObjectKey::new(b.0, b.1));
            prop_assert_eq!(Place::of(&a).cmp(&Place::of(&b)), a.cmp(&b));
            let inside = Place::before_all_of(&a.namespace) <= Place::of(&b)
                && Place::of(&b) < Place::after_all_of(&a.namespace);
            prop_assert_eq!(inside, a.namespace == b.namespace);
        }
    }
}
