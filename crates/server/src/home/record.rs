//! The file that says which server of a cluster this machine is.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::file;
use crate::ServerError;

/// Which server of a cluster this machine is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record {
    pub id: u64,
    pub name: String,
    /// `host:port`.
    pub address: String,
    /// The servers that were there when it joined; empty for the first one of a cluster.
    #[serde(default)]
    pub servers: Vec<String>,
    /// True once it was let in.
    #[serde(default)]
    pub entered: bool,
}

impl Record {
    /// `None` where this machine is no server yet.
    pub(super) fn load(folder: &Path) -> Result<Option<Self>, ServerError> {
        let path = path_in(folder);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(file(&path, source)),
        };
        serde_json::from_slice(&text).map(Some).map_err(|error| {
            let path = path.display();
            ServerError::Config(format!("{path} is damaged ({error}): restore it from a backup"))
        })
    }

    /// Writes the file whole or not at all.
    pub(super) fn save(&self, folder: &Path) -> Result<(), ServerError> {
        let text = serde_json::to_vec_pretty(self).expect("a record is plain data");
        write_private(&path_in(folder), &text)
    }

    pub(super) fn remove(folder: &Path) -> Result<(), ServerError> {
        let path = path_in(folder);
        fs::remove_file(&path).map_err(|source| file(&path, source))
    }

    /// Itself, as the machine starts again: it may be reached elsewhere than before, but is still called the same.
    pub(super) fn resume(self, folder: &Path, name: &str, address: &str) -> Result<Self, ServerError> {
        if self.name != name {
            return Err(ServerError::Config(format!(
                "this machine is server {} and called {}, not {name}: start it with --name {}, or let it leave \
                 (`skep server leave`, or `skep member remove {}` on another server) and join again under its new name",
                self.id, self.name, self.name, self.name
            )));
        }
        if self.address == address {
            return Ok(self);
        }
        tracing::info!(
            old = self.address,
            new = address,
            "this server has moved: it tells the others"
        );
        let moved = Self {
            address: address.to_owned(),
            ..self
        };
        moved.save(folder)?;
        Ok(moved)
    }
}

/// Writes a file of mode 0600 so that it is there as it was or as it should be, whatever happens.
pub(super) fn write_private(path: &Path, bytes: &[u8]) -> Result<(), ServerError> {
    let draft = path.with_extension("new");
    let write = || {
        if draft.exists() {
            fs::remove_file(&draft)?;
        }
        let mut draft_file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)?;
        draft_file.write_all(bytes)?;
        draft_file.sync_all()?;
        fs::rename(&draft, path)?;
        File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
    };
    write().map_err(|source| file(path, source))
}

fn path_in(folder: &Path) -> PathBuf {
    folder.join("member.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record {
            id: 2,
            name: "b".to_owned(),
            address: "b:7443".to_owned(),
            servers: vec!["a:7443".to_owned()],
            entered: false,
        }
    }

    #[test]
    fn a_machine_remembers_which_server_it_is() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Record::load(folder.path()).unwrap(), None);
        record().save(folder.path()).unwrap();
        assert_eq!(Record::load(folder.path()).unwrap(), Some(record()));
        Record::remove(folder.path()).unwrap();
        assert_eq!(Record::load(folder.path()).unwrap(), None);
    }

    #[test]
    fn a_server_may_move_and_keeps_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let resume = |name, address| record().resume(folder.path(), name, address);
        assert_eq!(resume("b", "b:7443").unwrap(), record());
        let moved = resume("b", "c:7443").unwrap();
        assert_eq!(moved.address, "c:7443");
        assert_eq!(Record::load(folder.path()).unwrap(), Some(moved));
        let error = resume("c", "b:7443").unwrap_err().to_string();
        assert!(error.contains("start it with --name b"), "{error}");
    }
}
