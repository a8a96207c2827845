//! The types that consensus works with.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use openraft::{BasicNode, type_config::alias};
use serde::{Deserialize, Serialize};
use skep_state::{Entry, Outcome};

openraft::declare_raft_types!(
    pub(crate) Types:
        D = Command,
        R = Vec<Outcome>,
        Node = BasicNode,
);

pub(crate) type LogId = alias::LogIdOf<Types>;
pub(crate) type Vote = alias::VoteOf<Types>;
pub(crate) type LogEntry = alias::EntryOf<Types>;
pub(crate) type Payload = alias::PayloadOf<Types>;
pub(crate) type Membership = alias::StoredMembershipOf<Types>;
pub(crate) type SnapshotMeta = alias::SnapshotMetaOf<Types>;
pub(crate) type Raft = openraft::Raft<Types, crate::machine::Machine>;

/// An entry as it is logged. The proposer's own copy rides along until it is applied, so that it need not be read back
/// from its bytes; what stays in the log's cache is the bytes alone.
#[derive(Clone, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
pub(crate) struct Command {
    json: Arc<[u8]>,
    entry: Arc<Mutex<Option<Entry>>>,
}

impl Command {
    pub(crate) fn new(entry: Entry, json: Vec<u8>) -> Self {
        Self {
            json: json.into(),
            entry: Arc::new(Mutex::new(Some(entry))),
        }
    }

    /// A command whose entry is read when it is applied.
    pub(crate) fn from_json(json: Vec<u8>) -> Self {
        Self {
            json: json.into(),
            entry: Arc::default(),
        }
    }

    pub(crate) fn json(&self) -> &[u8] {
        &self.json
    }

    /// The entry; only the first call is cheap.
    pub(crate) fn take_entry(&self) -> Result<Entry, serde_json::Error> {
        let taken = self.entry.lock().unwrap_or_else(PoisonError::into_inner).take();
        taken.map_or_else(|| serde_json::from_slice(&self.json), Ok)
    }
}

impl From<Command> for String {
    fn from(command: Command) -> Self {
        Self::from_utf8_lossy(&command.json).into_owned()
    }
}

impl From<String> for Command {
    fn from(json: String) -> Self {
        Self::from_json(json.into_bytes())
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
