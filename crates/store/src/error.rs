//! What can go wrong, one type for each operation.

use std::{io, path::PathBuf};

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
    /// A snapshot is damaged.
    #[error(
        "snapshot {} is damaged ({why}): restore it from a backup, or move it away to start from the snapshot before it",
        path.display()
    )]
    Snapshot {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The log is damaged in its middle; a torn end would have been repaired.
    #[error("the log in {} is damaged ({why}): restore the folder from a backup", path.display())]
    Log {
        /// The log's folder.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// Entries are missing between the newest snapshot and the beginning of the log.
    #[error(
        "the log in {} begins after entry {log_after}, and the newest snapshot ends with {}: a snapshot is missing, restore it from a backup",
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
    /// Consensus could not begin.
    #[error("the store could not start: {0}")]
    Start(String),
}

/// Why a proposal was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProposeError {
    /// Another server leads: propose there. Nothing was written.
    #[error("this server does not lead{}", leader.map_or(String::new(), |leader| format!("; server {leader} does")))]
    NotLeader {
        /// The leader, where it is known.
        leader: Option<u64>,
    },
    /// The leader changed while the entry was on its way: it may or may not be carried out. Propose it again with the
    /// same request id.
    #[error("leadership changed while the entry was on its way: propose it again with the same request id")]
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

/// Why a linearizable read was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Another server leads: read there.
    #[error("this server does not lead{}", leader.map_or(String::new(), |leader| format!("; server {leader} does")))]
    NotLeader {
        /// The leader, where it is known.
        leader: Option<u64>,
    },
    /// Too few servers answer to be sure that this one still leads; retry.
    #[error("too few servers answer: retry")]
    NoQuorum,
    /// The disk failed and the store has stopped.
    #[error("the store has stopped because its disk failed ({0}): see to the disk and start again")]
    Storage(String),
    /// The store was shut down.
    #[error("the store is shut down")]
    Stopped,
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
