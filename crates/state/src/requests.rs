//! What became of the last requests, so that a retry changes nothing.

use std::sync::Arc;

use imbl::OrdMap;
use serde::{Deserialize, Serialize};
use skep_api::{Kind, ObjectKey};

use crate::{Applied, Effect, Outcome, Refusal, State};

/// How many requests are remembered at most.
pub const REQUESTS_MAX: usize = 65_536;

/// How many of them, the newest, are remembered with the whole of their answers at most.
pub const ANSWERS_MAX: usize = 4096;

/// How many bytes those answers are worth at most.
pub const ANSWERS_WEIGHT_MAX: u64 = 16 * 1024 * 1024;

/// The oldest is forgotten first. Part of the replicated state: every replica remembers the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Requests {
    by_id: OrdMap<Arc<str>, Remembered>,
    order: OrdMap<u64, Arc<str>>,
    next: u64,
    /// The oldest whose whole answer is remembered.
    whole_from: u64,
    weight: u64,
}

#[derive(Clone, Debug, PartialEq)]
enum Remembered {
    Answer { outcomes: Arc<[Outcome]>, weight: u32 },
    Facts(Arc<[Fact]>),
}

/// What is left of an answer that is no longer remembered as a whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Fact {
    Applied {
        kind: Kind,
        key: ObjectKey,
        uid: String,
        revision: u64,
        effect: Effect,
    },
    Refused(Refusal),
}

/// What is remembered of a request.
pub(crate) enum Memory<'a> {
    Answer(&'a [Outcome]),
    Facts(&'a [Fact]),
}

impl Requests {
    pub(crate) fn get(&self, id: &str) -> Option<Memory<'_>> {
        self.by_id.get(id).map(|remembered| match remembered {
            Remembered::Answer { outcomes, .. } => Memory::Answer(outcomes),
            Remembered::Facts(facts) => Memory::Facts(facts),
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }

    /// Ids and what is remembered of them, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, Memory<'_>)> {
        self.order
            .iter()
            .filter_map(|(_, id)| Some((&**id, self.get(id)?)))
    }

    /// Empty and known ids are not remembered.
    pub(crate) fn remember(&mut self, id: &str, outcomes: &[Outcome], weight: u32) {
        let outcomes = outcomes.into();
        if self.insert(id, Remembered::Answer { outcomes, weight }) {
            self.weight += u64::from(weight);
            self.trim();
        }
    }

    /// As [`Self::remember`], from a snapshot: those come before all whose answers are remembered as a whole.
    pub(crate) fn remember_facts(&mut self, id: &str, facts: Vec<Fact>) {
        if self.insert(id, Remembered::Facts(facts.into())) {
            self.whole_from = self.next;
            self.trim();
        }
    }

    fn insert(&mut self, id: &str, remembered: Remembered) -> bool {
        if id.is_empty() || self.by_id.contains_key(id) {
            return false;
        }
        let id: Arc<str> = id.into();
        self.order.insert(self.next, id.clone());
        self.by_id.insert(id, remembered);
        self.next += 1;
        true
    }

    fn trim(&mut self) {
        let whole = |requests: &Self| requests.next - requests.whole_from;
        while whole(self) > ANSWERS_MAX as u64 || (self.weight > ANSWERS_WEIGHT_MAX && whole(self) > 1) {
            self.shorten(self.whole_from);
            self.whole_from += 1;
        }
        while self.order.len() > REQUESTS_MAX {
            let Some((first, id)) = self.order.get_min().cloned() else {
                return;
            };
            self.order.remove(&first);
            self.by_id.remove(&id);
        }
    }

    /// Keeps no more than the facts.
    fn shorten(&mut self, number: u64) {
        let id = self.order.get(&number);
        let Some(remembered) = id.and_then(|id| self.by_id.get_mut(id)) else {
            return;
        };
        if let Remembered::Answer { outcomes, weight } = remembered {
            self.weight -= u64::from(*weight);
            let facts = outcomes.iter().map(Fact::of).collect();
            *remembered = Remembered::Facts(facts);
        }
    }
}

impl Fact {
    pub(crate) fn of(outcome: &Outcome) -> Self {
        match outcome {
            Ok(applied) => Self::Applied {
                kind: applied.object.kind(),
                key: applied.object.key(),
                uid: applied.object.meta().uid.clone(),
                revision: applied.revision,
                effect: applied.effect,
            },
            Err(refusal) => Self::Refused(refusal.clone()),
        }
    }

    /// The outcome with the object as it is by now; a refusal that says so where it has gone.
    pub(crate) fn outcome(&self, state: &State) -> Outcome {
        match self {
            Self::Applied {
                kind,
                key,
                uid,
                revision,
                effect,
            } => {
                let (revision, effect) = (*revision, *effect);
                let object = state.by_uid(uid).cloned().ok_or_else(|| Refusal::Conflict {
                    kind: *kind,
                    key: key.clone(),
                    why: format!(
                        "the request was carried out before, as revision {revision}, and it has gone since"
                    ),
                })?;
                Ok(Applied {
                    revision,
                    object,
                    effect,
                })
            }
            Self::Refused(refusal) => Err(refusal.clone()),
        }
    }
}

impl PartialEq for Requests {
    fn eq(&self, other: &Self) -> bool {
        let remembered = |requests: &Self| -> Vec<_> {
            let ids = requests.order.iter();
            ids.map(|(_, id)| (id.clone(), requests.by_id.get(id).cloned()))
                .collect()
        };
        self.len() == other.len() && remembered(self) == remembered(other)
    }
}
