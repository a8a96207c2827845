//! What can be set about a store.

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use crate::{Member, Transport, Vault};

/// Where a store lives, which server it is, and when it tidies up.
#[derive(Clone)]
pub struct StoreConfig {
    /// The folder that holds everything; made where it does not exist.
    pub dir: PathBuf,
    /// This server. Its number is fixed once the folder is in use; the others learn of a new name or address.
    pub member: Member,
    /// What becomes of an empty folder.
    pub start: Start,
    /// The way to the other servers; `None` where this server is alone.
    pub transport: Option<Arc<dyn Transport>>,
    /// How often a leader makes itself heard; it is missed after about seven times as long. Costs nothing alone.
    pub heartbeat: Duration,
    /// Backups by themselves; none where `None`.
    pub backups: Option<BackupConfig>,
    /// A snapshot is taken once this many entries were logged since the last one.
    pub snapshot_entries: u64,
    /// A snapshot is taken once this many bytes were logged since the last one.
    pub snapshot_bytes: u64,
    /// How many bytes an entry may have at most, written to the log.
    pub entry_bytes_max: usize,
    /// Writes are refused while the folder's file system has fewer bytes free than this.
    pub free_bytes_min: u64,
    /// Seals everything that is written to the folder; in the clear where `None`. A folder in the clear is sealed as it is
    /// opened; one that is sealed cannot be opened without.
    pub vault: Option<Arc<dyn Vault>>,
    /// Makes the log's disk slower than it is, for simulations.
    pub disk_delay: Option<DiskDelay>,
}

/// How much longer the next write takes to become durable.
pub type DiskDelay = Arc<dyn Fn() -> Duration + Send + Sync>;

/// What becomes of an empty folder; one that is in use is opened as what it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// A new cluster of this one server.
    #[default]
    Init,
    /// A server that waits until the leader of a cluster adds it.
    Join,
}

/// Copies of the state that are kept beside the log, in the folder `backups`, as [`crate::restore`] reads them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackupConfig {
    /// The time from one to the next; there is none where nothing has changed.
    pub interval: Duration,
    /// How many are kept, the newest of them.
    pub keep: usize,
}

impl StoreConfig {
    /// Server 1, alone, in this folder, with thresholds that suit a small cluster.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            member: Member::new(1, "", ""),
            start: Start::Init,
            transport: None,
            heartbeat: Duration::from_millis(100),
            backups: None,
            snapshot_entries: 20_000,
            snapshot_bytes: 16 * 1024 * 1024,
            entry_bytes_max: 8 * 1024 * 1024,
            free_bytes_min: 32 * 1024 * 1024,
            vault: None,
            disk_delay: None,
        }
    }

    /// The same for another server.
    #[must_use]
    pub fn member(self, member: Member) -> Self {
        Self { member, ..self }
    }

    /// The same for a server that joins a cluster.
    #[must_use]
    pub fn join(self) -> Self {
        Self {
            start: Start::Join,
            ..self
        }
    }

    /// The same with a way to other servers.
    #[must_use]
    pub fn transport(self, transport: Arc<dyn Transport>) -> Self {
        Self {
            transport: Some(transport),
            ..self
        }
    }

    /// The same with all that is written sealed.
    #[must_use]
    pub fn vault(self, vault: Arc<dyn Vault>) -> Self {
        Self {
            vault: Some(vault),
            ..self
        }
    }
}

impl fmt::Debug for StoreConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreConfig")
            .field("dir", &self.dir)
            .field("member", &self.member)
            .field("start", &self.start)
            .field("transport", &self.transport.is_some())
            .field("vault", &self.vault.as_ref().map(|vault| vault.label()))
            .finish_non_exhaustive()
    }
}
