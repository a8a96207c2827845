//! One agent at a time in a data folder.

use std::{fs::OpenOptions, path::Path};

use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
};

use crate::AgentError;

/// Holds a data folder; the system lets go of it whatever way the process ends.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: Flock<std::fs::File>,
}

impl Lock {
    /// # Errors
    /// Where another agent holds it, or the folder cannot be used.
    pub(crate) fn take(data_dir: &Path) -> Result<Self, AgentError> {
        let unusable = |source| AgentError::DataDir {
            path: data_dir.to_owned(),
            source,
        };
        std::fs::create_dir_all(data_dir).map_err(unusable)?;
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(data_dir.join("agent.lock"))
            .map_err(unusable)?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(file) => Ok(Self { _file: file }),
            Err((_, Errno::EWOULDBLOCK)) => Err(AgentError::Taken(data_dir.to_owned())),
            Err((_, errno)) => Err(unusable(errno.into())),
        }
    }
}
