//! What was answered to the last requests, so that a retry changes nothing.

use std::sync::Arc;

use imbl::OrdMap;

use crate::Outcome;

/// How many requests are remembered at most.
pub const REQUESTS_MAX: usize = 4096;

/// How many bytes the remembered outcomes are worth at most.
pub const REQUESTS_WEIGHT_MAX: u64 = 16 * 1024 * 1024;

/// The oldest is forgotten first. Part of the replicated state: every replica remembers the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Requests {
    by_id: OrdMap<Arc<str>, Remembered>,
    order: OrdMap<u64, Arc<str>>,
    next: u64,
    weight: u64,
}

#[derive(Clone, Debug)]
struct Remembered {
    outcomes: Arc<[Outcome]>,
    weight: u32,
}

impl Requests {
    pub(crate) fn get(&self, id: &str) -> Option<&[Outcome]> {
        self.by_id.get(id).map(|remembered| &*remembered.outcomes)
    }

    /// Ids and outcomes, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &[Outcome])> {
        self.order
            .iter()
            .filter_map(|(_, id)| Some((&**id, self.get(id)?)))
    }

    /// Empty and known ids are not remembered.
    pub(crate) fn remember(&mut self, id: &str, outcomes: &[Outcome], weight: u32) {
        if id.is_empty() || self.by_id.contains_key(id) {
            return;
        }
        let (id, outcomes): (Arc<str>, _) = (id.into(), outcomes.into());
        self.weight += u64::from(weight);
        self.order.insert(self.next, id.clone());
        self.by_id.insert(id, Remembered { outcomes, weight });
        self.next += 1;
        self.trim(REQUESTS_MAX, REQUESTS_WEIGHT_MAX);
    }

    fn trim(&mut self, count_max: usize, weight_max: u64) {
        while self.order.len() > count_max || (self.weight > weight_max && self.order.len() > 1) {
            let Some((first, id)) = self.order.get_min().cloned() else {
                return;
            };
            self.order.remove(&first);
            if let Some(remembered) = self.by_id.remove(&id) {
                self.weight -= u64::from(remembered.weight);
            }
        }
    }
}

impl PartialEq for Requests {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}
