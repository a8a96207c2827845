//! What can go wrong, one type for each operation.

use std::{io, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::space::mib;

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or another store of this one, has it open.
    #[error("{} is in use by another process: stop it, or use another folder", dir.display())]
    Locked {
        /// The folder.
        dir: PathBuf,
    },
    /// The folder belongs to something else than it was opened for.
    #[error("{}: {why}", path.display())]
    Foreign {
        /// The file that says so.
        path: PathBuf,
        /// What is wrong and what to do.
        why: String,
    },
    /// It is sealed, and the key to it is not at hand.
    #[error("{} is sealed: {why}", path.display())]
    Sealed {
        /// The file or folder.
        path: PathBuf,
        /// Which key is missing.
        why: String,
    },
    /// A snapshot is damaged.
    #[error(
        "snapshot {} is damaged ({why}): restore it from a backup, or move it away to start from the snapshot before it; \
         where other servers are up, this one can be emptied and join again",
        path.display()
    )]
    Snapshot {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A file that was to be read as a copy of the state is damaged, or none.
    #[error("{} is damaged, or no snapshot ({why}): take another copy of it", path.display())]
    Copy {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The log is damaged in its middle; a torn end would have been repaired.
    #[error("the log in {} is damaged ({why}): restore the folder from a backup; where other servers are up, this one can be emptied and join again", path.display())]
    Log {
        /// The log's folder.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// Entries are missing between the newest snapshot and the beginning of the log.
    #[error(
        "the log in {} begins after entry {log_after}, and the newest snapshot ends with {}: a snapshot is missing, restore it from a backup; where other servers are up, this one can be emptied and join again",
        dir.display(),
        snapshot_end.map_or("none".to_owned(), |index| format!("entry {index}"))
    )]
    Gap {
        /// The store's folder.
        dir: PathBuf,
        /// The last entry that the log no longer has.
        log_after: u64,
        /// The last entry in the newest snapshot.
        snapshot_end: Option<u64>,
    },
    /// The file system refused.
    #[error("cannot use {}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The log names several servers, and there is no way to them.
    #[error("{} belongs to a cluster of {servers} servers: start it as one of them, or recover it for this server alone", dir.display())]
    Several {
        /// The store's folder.
        dir: PathBuf,
        /// How many servers there are.
        servers: usize,
    },
    /// Consensus could not begin.
    #[error("the store could not start: {0}")]
    Start(String),
}

/// Why a proposal was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum ProposeError {
    /// No server took the entry in time: too few of them are up, or none of them leads yet. Nothing was written.
    #[error("no server leads{}: see whether a majority of the servers is up, and retry", hint(*leader))]
    NotLeader {
        /// Who may lead.
        leader: Option<u64>,
    },
    /// The leader changed, or too few servers answered, while the entry was on its way: it may or may not be carried
    /// out. Propose it again with the same request id.
    #[error("the entry was on its way when its leader was lost: propose it again with the same request id")]
    Uncertain,
    /// The disk is nearly full. Nothing was written; free space and retry.
    #[error(
        "the data folder has {} free and keeps {} in reserve: free some space and retry",
        mib(*free),
        mib(*needed)
    )]
    NoSpace {
        /// Bytes free now.
        free: u64,
        /// Bytes that must be free.
        needed: u64,
    },
    /// Nothing was written: split the entry.
    #[error("the entry has {}, {} are allowed: split it", mib(*bytes as u64), mib(*max as u64))]
    TooLarge {
        /// How large it is.
        bytes: usize,
        /// How large it may be.
        max: usize,
    },
    /// The disk failed. The store has stopped: whether the entry is durable shows when it is opened again.
    #[error("the store has stopped because its disk failed ({0}): see to the disk and start again")]
    Storage(String),
    /// The store was shut down.
    #[error("the store is shut down")]
    Stopped,
}

impl ProposeError {
    /// True where the same proposal may succeed later, on this or another server; a request id makes the retry safe.
    pub fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::NotLeader { .. } | Self::Uncertain | Self::NoSpace { .. }
        )
    }
}

fn hint(leader: Option<u64>) -> String {
    leader.map_or(String::new(), |leader| format!(" (it may be server {leader})"))
}

/// Why a linearizable read was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum ReadError {
    /// No server could be asked that is known to lead.
    #[error("no server leads{}: see whether a majority of the servers is up, and retry", hint(*leader))]
    NotLeader {
        /// Who may lead.
        leader: Option<u64>,
    },
    /// Too few servers answer to be sure who leads; retry.
    #[error("too few servers answer: see whether a majority of the servers is up, and retry")]
    NoQuorum,
    /// The disk failed and the store has stopped.
    #[error("the store has stopped because its disk failed ({0}): see to the disk and start again")]
    Storage(String),
    /// The store was shut down.
    #[error("the store is shut down")]
    Stopped,
}

/// Why the servers of a cluster, or its leader, were not changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum MembershipError {
    /// No server leads, or it was lost on the way: look at the members, and retry.
    #[error("no server leads: see whether a majority of the servers is up, look at the members, and retry")]
    NoLeader,
    /// There is no such server.
    #[error("there is no server {id}")]
    Unknown {
        /// Its number.
        id: u64,
    },
    /// The number belongs to another server.
    #[error("server {id} is {name} already: a new server needs a number of its own")]
    Taken {
        /// The number.
        id: u64,
        /// Whose it is.
        name: String,
    },
    /// A cluster needs a voter.
    #[error(
        "server {id} is the only one that votes, and there is no cluster without it: let another server join, or promote \
         one, first; to be rid of the cluster, stop the server and remove its data folder"
    )]
    LastVoter {
        /// Its number.
        id: u64,
    },
    /// The learner did not catch up in time.
    #[error("server {id} has not caught up yet{}: see whether it is up, and retry", lag.map_or(String::new(), |lag| format!(", it lacks {lag} entries")))]
    Behind {
        /// Its number.
        id: u64,
        /// What it lacks, where it is known.
        lag: Option<u64>,
    },
    /// Another change of the members is under way: retry.
    #[error("another change of the members is under way: retry")]
    InProgress,
    /// There is nobody to hand the lead to, or nobody took it.
    #[error("the lead was not handed over: {0}")]
    Transfer(String),
    /// A server that was opened without a way to others.
    #[error("this server is alone: start it with an address for others first")]
    Alone,
    /// The store has stopped.
    #[error("the store is shut down")]
    Stopped,
}

/// Why keys of before are still needed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResealError {
    /// A file could not be sealed anew.
    #[error(transparent)]
    File(#[from] OpenError),
    /// It takes longer than it should.
    #[error("{0}")]
    Pending(&'static str),
}

/// Why no snapshot was taken. The log keeps everything; it is tried again later.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// It could not be written.
    #[error("the snapshot could not be written: {0}")]
    Write(String),
    /// The store was shut down.
    #[error("the store is shut down")]
    Stopped,
}
