//! Counts attempts to open the store: one that ends the process each time it is opened must not keep the node from starting.

use std::{fs, path::PathBuf};

use super::error::CheckpointError;

/// Attempts that may fail before the store counts as damaged.
const ATTEMPTS_MAX: u32 = 2;

/// A file that is there while the store is being opened.
pub(super) struct Attempts(PathBuf);

impl Attempts {
    pub(super) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Counts an attempt; false where too many have never ended.
    ///
    /// # Errors
    /// Where the count cannot be written.
    pub(super) fn begin(&self) -> Result<bool, CheckpointError> {
        let before = fs::read_to_string(&self.0)
            .ok()
            .and_then(|text| text.trim().parse().ok())
            .unwrap_or(0u32);
        fs::write(&self.0, format!("{}\n", before.saturating_add(1)))
            .map_err(CheckpointError::file(&self.0))?;
        Ok(before < ATTEMPTS_MAX)
    }

    /// The attempt has ended, well or not.
    pub(super) fn end(&self) {
        // One that stays behind costs an attempt.
        drop(fs::remove_file(&self.0));
    }
}
