//! What can be set about a store.

use std::path::PathBuf;

/// Where a store lives and when it tidies up.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// The folder that holds everything; made where it does not exist.
    pub dir: PathBuf,
    /// This server's number in the cluster; fixed once the folder is in use.
    pub server_id: u64,
    /// A snapshot is taken once this many entries were logged since the last one.
    pub snapshot_entries: u64,
    /// A snapshot is taken once this many bytes were logged since the last one.
    pub snapshot_bytes: u64,
    /// How many bytes an entry may have at most, written to the log.
    pub entry_bytes_max: usize,
    /// Writes are refused while the folder's file system has fewer bytes free than this.
    pub free_bytes_min: u64,
}

impl StoreConfig {
    /// Server 1 in this folder, with thresholds that suit a small cluster.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            server_id: 1,
            snapshot_entries: 20_000,
            snapshot_bytes: 16 * 1024 * 1024,
            entry_bytes_max: 8 * 1024 * 1024,
            free_bytes_min: 32 * 1024 * 1024,
        }
    }

    /// The same for another server.
    #[must_use]
    pub fn server_id(self, server_id: u64) -> Self {
        Self { server_id, ..self }
    }
}
