//! Pods in the order in which they are placed.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use skep_api::ObjectKey;

/// Pods by priority, the highest first; among equals by name.
#[derive(Default)]
pub(super) struct Waiting {
    order: BTreeSet<(Reverse<i32>, ObjectKey)>,
    priorities: BTreeMap<ObjectKey, i32>,
}

impl Waiting {
    pub(super) fn insert(&mut self, key: ObjectKey, priority: i32) {
        self.remove(&key);
        self.order.insert((Reverse(priority), key.clone()));
        self.priorities.insert(key, priority);
    }

    pub(super) fn remove(&mut self, key: &ObjectKey) {
        if let Some(priority) = self.priorities.remove(key) {
            self.order.remove(&(Reverse(priority), key.clone()));
        }
    }

    pub(super) fn contains(&self, key: &ObjectKey) -> bool {
        self.priorities.contains_key(key)
    }

    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    pub(super) fn pop_first(&mut self) -> Option<ObjectKey> {
        let (_, key) = self.order.pop_first()?;
        self.priorities.remove(&key);
        Some(key)
    }

    /// Takes over all pods of another.
    pub(super) fn append(&mut self, other: &mut Self) {
        self.order.append(&mut other.order);
        self.priorities.append(&mut other.priorities);
    }
}
