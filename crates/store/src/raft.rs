//! The types that consensus works with.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use openraft::{impls::leader_id_std::LeaderId, type_config::alias};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use skep_state::{Entry, Outcome};

use crate::member::Place;

openraft::declare_raft_types!(
    pub(crate) Types:
        D = Command,
        R = Vec<Vec<Outcome>>,
        Node = Place,
        LeaderId = LeaderId<u64, u64>,
);

pub(crate) type LogId = alias::LogIdOf<Types>;
pub(crate) type Vote = alias::VoteOf<Types>;
pub(crate) type LogEntry = alias::EntryOf<Types>;
pub(crate) type Payload = alias::PayloadOf<Types>;
pub(crate) type Membership = alias::StoredMembershipOf<Types>;
pub(crate) type Members = openraft::Membership<u64, Place>;
pub(crate) type SnapshotMeta = alias::SnapshotMetaOf<Types>;
pub(crate) type Raft = openraft::Raft<Types, crate::machine::Machine>;

/// Entries as they are logged together: a JSON list of them, or a single one. The proposer's own copies ride along until
/// they are applied, so that they need not be read back from their bytes; what stays in the log's cache is the bytes alone.
#[derive(Clone)]
pub(crate) struct Command {
    json: Arc<[u8]>,
    entries: Arc<Mutex<Option<Vec<Entry>>>>,
}

impl Command {
    pub(crate) fn new(entries: Vec<Entry>, json: Arc<[u8]>) -> Self {
        Self {
            json,
            entries: Arc::new(Mutex::new(Some(entries))),
        }
    }

    /// A command whose entries are read when it is applied.
    pub(crate) fn from_json(json: Arc<[u8]>) -> Self {
        Self {
            json,
            entries: Arc::default(),
        }
    }

    pub(crate) fn json(&self) -> &[u8] {
        &self.json
    }

    /// The entries; only the first call is cheap.
    pub(crate) fn take_entries(&self) -> Result<Vec<Entry>, serde_json::Error> {
        let taken = self.entries.lock().unwrap_or_else(PoisonError::into_inner).take();
        match taken {
            Some(entries) => Ok(entries),
            None if self.json.first() == Some(&b'[') => serde_json::from_slice(&self.json),
            None => serde_json::from_slice(&self.json).map(|entry| vec![entry]),
        }
    }
}

impl Serialize for Command {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.json)
    }
}

impl<'de> Deserialize<'de> for Command {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(CommandVisitor)
    }
}

struct CommandVisitor;

impl de::Visitor<'_> for CommandVisitor {
    type Value = Command;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the bytes of an entry")
    }

    fn visit_bytes<E: de::Error>(self, json: &[u8]) -> Result<Command, E> {
        Ok(Command::from_json(json.into()))
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Command({} bytes)", self.json.len())
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// The id of the entry that the leader of `term` logged at `index`.
pub(crate) fn log_id(term: u64, index: u64) -> LogId {
    LogId::new(alias::CommittedLeaderIdOf::<Types>::new(term), index)
}
