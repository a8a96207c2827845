//! The whole state as a stream of records, and back.
//!
//! A head, then every object, then the remembered requests and senders, each record one document in MessagePack: neither side holds
//! more than one record besides the state itself. Equal states give equal streams. The history is not part of it.
//! MessagePack says how long each list is before it comes, so that what is read takes no more memory than it needs.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use skep_api::{Kind, Object};

use crate::{
    Outcome, State,
    history::History,
    requests::{Fact, Memory},
    senders::Known,
    weight::outcome_weight,
};

/// Why a stream of records is not a state.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// A record cannot be read.
    #[error("record {index} of the snapshot cannot be read")]
    Record {
        /// Which one, from 0.
        index: u64,
        /// Why.
        source: rmp_serde::decode::Error,
    },
    /// The first record must be the head, and there is one.
    #[error("record {index} of the snapshot is out of order")]
    Order {
        /// Which one, from 0.
        index: u64,
    },
    /// Records are missing or in excess.
    #[error("the snapshot announces {announced} records and has {found}")]
    Count {
        /// How many records the head announces, itself included.
        announced: u64,
        /// How many there are.
        found: u64,
    },
}

#[derive(Serialize)]
enum Written<'a> {
    Head(Head),
    Object(&'a Object),
    Request { id: &'a str, outcomes: &'a [Outcome] },
    Present { id: &'a str, facts: Vec<Fact> },
    Facts { id: &'a str, facts: &'a [Fact] },
    Sender(Known),
}

#[derive(Debug, Deserialize)]
enum Read {
    Head(Head),
    Object(Box<Object>),
    Request {
        id: String,
        outcomes: Vec<Outcome>,
    },
    /// A request whose answer has the objects as they are: they are not there twice.
    Present {
        id: String,
        facts: Vec<Fact>,
    },
    /// A request whose whole answer is not remembered any more.
    Facts {
        id: String,
        facts: Vec<Fact>,
    },
    Sender(Known),
}

#[derive(Debug, Serialize, Deserialize)]
struct Head {
    revision: u64,
    records: u64,
}

impl State {
    /// The state as records, made one at a time.
    pub fn records(&self) -> impl Iterator<Item = Vec<u8>> {
        let requests = self.requests.iter().map(|(id, memory)| match memory {
            Memory::Answer(outcomes) => match self.as_they_are(outcomes) {
                Some(facts) => Written::Present { id, facts },
                None => Written::Request { id, outcomes },
            },
            Memory::Facts(facts) => Written::Facts { id, facts },
        });
        let senders = self.senders.known().map(Written::Sender);
        let records = 1 + (self.len() + self.requests.len() + self.senders.len()) as u64;
        let head = Written::Head(Head {
            revision: self.revision(),
            records,
        });
        let objects = Kind::ALL.into_iter().flat_map(|kind| self.objects(kind, None));
        std::iter::once(head)
            .chain(objects.map(|object| Written::Object(object)))
            .chain(requests)
            .chain(senders)
            .map(|record| written(&record))
    }

    /// The outcomes as facts, where the state has all their objects as they are in them.
    fn as_they_are(&self, outcomes: &[Outcome]) -> Option<Vec<Fact>> {
        let is_present = |outcome: &Outcome| {
            let Ok(applied) = outcome else { return true };
            let told = applied.object.meta();
            let present = self.by_uid(&told.uid).map(|object| object.meta());
            present.is_some_and(|meta| meta.resource_version == told.resource_version)
        };
        outcomes
            .iter()
            .all(is_present)
            .then(|| outcomes.iter().map(Fact::of).collect())
    }
}

fn written(record: &Written<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut out = rmp_serde::Serializer::new(&mut bytes).with_struct_map();
    record
        .serialize(&mut out)
        .expect("objects hold nothing that MessagePack cannot hold");
    bytes
}

/// Builds a state from its records.
#[derive(Debug, Default)]
pub struct Restore {
    state: State,
    announced: u64,
    found: u64,
}

/// A record that was read and is not part of a state yet: reading is the slow part, and can be done on any thread.
#[derive(Debug)]
pub struct Record(Result<Read, rmp_serde::decode::Error>);

impl Record {
    /// Reads a record; whether it could be read shows in [`Restore::take`].
    pub fn read(record: &[u8]) -> Self {
        Self(rmp_serde::from_slice(record))
    }
}

impl Restore {
    /// Reads and takes the next record.
    ///
    /// # Errors
    /// As for [`Restore::take`].
    pub fn push(&mut self, record: &[u8]) -> Result<(), RestoreError> {
        self.take(Record::read(record))
    }

    /// Takes the next record.
    ///
    /// # Errors
    /// Where it could not be read or is out of order; the restore is of no use then.
    pub fn take(&mut self, record: Record) -> Result<(), RestoreError> {
        let index = self.found;
        self.found += 1;
        let record = record
            .0
            .map_err(|source| RestoreError::Record { index, source })?;
        match (index, record) {
            (0, Read::Head(head)) => {
                self.state.revision = head.revision;
                self.announced = head.records;
            }
            (1.., Read::Object(object)) => self.insert(*object),
            (1.., Read::Request { id, outcomes }) => {
                let weight = outcomes.iter().map(outcome_weight).sum();
                self.state.requests.remember(&id, &outcomes, weight);
            }
            (1.., Read::Present { id, facts }) => {
                let outcomes: Vec<_> = facts.iter().map(|fact| fact.outcome(&self.state)).collect();
                let weight = outcomes.iter().map(outcome_weight).sum();
                self.state.requests.remember(&id, &outcomes, weight);
            }
            (1.., Read::Facts { id, facts }) => self.state.requests.remember_facts(&id, facts),
            (1.., Read::Sender(known)) => self.state.senders.restore(known),
            _ => return Err(RestoreError::Order { index }),
        }
        Ok(())
    }

    /// The state; its history begins at its revision.
    ///
    /// # Errors
    /// Where records are missing or in excess.
    pub fn finish(mut self) -> Result<State, RestoreError> {
        if self.found != self.announced || self.found == 0 {
            return Err(RestoreError::Count {
                announced: self.announced,
                found: self.found,
            });
        }
        self.state.history = History::after(self.state.revision);
        Ok(self.state)
    }

    fn insert(&mut self, object: Object) {
        let object = Arc::new(object);
        let (key, before) = self.state.tables[object.kind() as usize].put(object.clone());
        self.state.indexes.follow(&key, before.as_deref(), Some(&object));
        self.state.follow_quotas(before.as_deref(), Some(&object));
    }
}
