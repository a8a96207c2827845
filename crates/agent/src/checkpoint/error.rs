//! Why a checkpoint cannot be used.

use std::{io, path::PathBuf};

/// Why a checkpoint cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckpointError {
    #[error("cannot use {path}")]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("its key cannot be used")]
    Key(#[source] skep_trust::SealError),
    #[error("the store failed")]
    Store(#[source] sled::Error),
    #[error("the store is still being closed")]
    Busy,
    #[error("the store gave up")]
    GaveUp,
    #[error("the disk has {0} bytes left: free some space")]
    DiskFull(u64),
}

impl From<sled::Error> for CheckpointError {
    fn from(error: sled::Error) -> Self {
        match &error {
            // sled lets go of its file a moment after it was dropped, and has no error of its own for that.
            sled::Error::Io(io) if io.to_string().contains("could not acquire lock") => Self::Busy,
            _ => Self::Store(error),
        }
    }
}

impl CheckpointError {
    pub(super) fn file(path: &std::path::Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }
}
