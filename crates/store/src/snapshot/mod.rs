//! Snapshots of the state: written whole or not at all, checksummed, the last two kept.

mod decode;
mod file;
mod framed;
mod frames;
mod gentle;
mod head;
mod sealed;

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use skep_state::State;
use tokio::sync::watch;

use crate::{
    OpenError, SnapshotError,
    folder::{io_at, sync_dir},
    raft::{LogId, SnapshotMeta},
    vault::{Seal, VaultError},
};
pub(crate) use file::{ClearFile, SnapshotFile, encode, open, write};
pub(crate) use framed::framed;
pub(crate) use gentle::Care;
pub(crate) use head::Head;
pub use sealed::SealedWriter;

const KEPT: usize = 2;
const EXTENSION: &str = "snapshot";

/// A snapshot that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotInfo {
    /// The file.
    pub path: PathBuf,
    /// The revision of the state in it.
    pub revision: u64,
    /// The file's size.
    pub bytes: u64,
}

/// What came of the last attempt to take a snapshot.
#[derive(Clone, Debug, Default)]
pub(crate) struct Attempt {
    pub(crate) number: u64,
    pub(crate) result: Option<Result<SnapshotInfo, SnapshotError>>,
}

/// The folder of snapshots.
#[derive(Debug)]
pub(crate) struct Snapshots {
    dir: PathBuf,
    seal: Seal,
    care: Arc<Care>,
    newest: Mutex<Option<(SnapshotMeta, SnapshotInfo)>>,
    /// Held while the folder changes.
    busy: Mutex<()>,
    attempts: watch::Sender<Attempt>,
}

impl Snapshots {
    /// Opens the folder and reads the newest snapshot in it.
    pub(crate) fn open(
        dir: PathBuf,
        seal: Seal,
        reserve: u64,
    ) -> Result<(Self, Option<(Head, State)>), OpenError> {
        remove_unfinished(&dir).map_err(io_at(&dir))?;
        let paths = list(&dir).map_err(io_at(&dir))?;
        let loaded = paths.last().map(|path| load(path, &seal)).transpose()?;
        let snapshots = Self {
            dir,
            seal,
            care: Arc::new(Care::new(reserve)),
            newest: Mutex::default(),
            busy: Mutex::default(),
            attempts: watch::Sender::default(),
        };
        if let Some((Head { meta, .. }, state)) = &loaded {
            let path = snapshots.path_of(meta);
            let bytes = fs::metadata(&path).map_err(io_at(&path))?.len();
            let revision = state.revision();
            snapshots.set_newest(
                meta,
                SnapshotInfo {
                    path,
                    revision,
                    bytes,
                },
            );
        }
        Ok((snapshots, loaded))
    }

    /// Takes a snapshot. Blocks; the outcome goes to [`Snapshots::attempts`] as well.
    pub(crate) fn take(&self, head: &Head, state: &State) -> Result<SnapshotInfo, SnapshotError> {
        let _busy = self.lock();
        let path = self.path_of(&head.meta);
        let result = file::write(&path, head, state, &self.seal, &self.care)
            .map(|bytes| SnapshotInfo {
                path,
                revision: state.revision(),
                bytes,
            })
            .map_err(|error| SnapshotError::Write(error.to_string()));
        match &result {
            Ok(info) => {
                self.set_newest(&head.meta, info.clone());
                tracing::info!(path = %info.path.display(), revision = info.revision, bytes = info.bytes, "snapshot taken");
            }
            Err(error) => tracing::warn!(%error, "no snapshot was taken; the log keeps everything"),
        }
        self.attempts.send_modify(|attempt| {
            attempt.number += 1;
            attempt.result = Some(result.clone());
        });
        result
    }

    /// Takes over a snapshot from elsewhere. Blocks.
    pub(crate) fn install(&self, received: SnapshotFile) -> io::Result<(Head, State)> {
        let _busy = self.lock();
        let (head, state) = match received.contents {
            Some(contents) => *contents,
            None => file::read(&received.path, &self.seal)?,
        };
        let path = self.path_of(&head.meta);
        if path != received.path {
            fs::File::open(&received.path)?.sync_all()?;
            fs::rename(&received.path, &path)?;
            sync_dir(&self.dir)?;
        }
        let info = SnapshotInfo {
            bytes: fs::metadata(&path)?.len(),
            path,
            revision: state.revision(),
        };
        self.set_newest(&head.meta, info);
        Ok((head, state))
    }

    /// Where a snapshot that comes in pieces is put together.
    pub(crate) fn path_of_incoming(&self, transfer: u64) -> PathBuf {
        self.dir.join(format!("incoming-{transfer:016x}.tmp"))
    }

    /// Does some work while no snapshot comes or goes. Blocks.
    pub(crate) fn unchanged<T>(&self, work: impl FnOnce(&Path) -> T) -> T {
        let _busy = self.lock();
        work(&self.dir)
    }

    /// What seals them.
    pub(crate) fn seal(&self) -> &Seal {
        &self.seal
    }

    /// What large files leave to others.
    pub(crate) fn care(&self) -> &Arc<Care> {
        &self.care
    }

    /// Gives up what is being written, and blocks until nothing changes in the folder any more.
    pub(crate) fn settle(&self) {
        self.care.close();
        drop(self.lock());
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest snapshot.
    pub(crate) fn newest(&self) -> Option<(SnapshotMeta, SnapshotInfo)> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The last entry in the oldest snapshot that is kept: no log before it is needed, even if the newest is lost.
    pub(crate) fn oldest_kept(&self) -> Option<u64> {
        let paths = list(&self.dir).ok()?;
        paths.len().checked_sub(KEPT).and_then(|at| index_of(&paths[at]))
    }

    pub(crate) fn attempts(&self) -> watch::Receiver<Attempt> {
        self.attempts.subscribe()
    }

    fn set_newest(&self, meta: &SnapshotMeta, info: SnapshotInfo) {
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = Some((meta.clone(), info));
        if let Err(error) = self.prune() {
            tracing::warn!(%error, "old snapshots could not be removed");
        }
    }

    fn prune(&self) -> io::Result<()> {
        let paths = list(&self.dir)?;
        for path in &paths[..paths.len().saturating_sub(KEPT)] {
            fs::remove_file(path)?;
        }
        Ok(())
    }

    fn path_of(&self, meta: &SnapshotMeta) -> PathBuf {
        let id: Option<LogId> = meta.last_log_id;
        self.dir.join(file_name(id))
    }
}

/// The name of a snapshot that ends with this entry.
pub(crate) fn file_name(last: Option<LogId>) -> String {
    let (index, term) = last.map_or((0, 0), |id| (id.index, id.committed_leader_id().term));
    format!("{index:020}-{term:010}.{EXTENSION}")
}

/// Reads a snapshot, checking all of it.
pub(crate) fn load(path: &Path, seal: &Seal) -> Result<(Head, State), OpenError> {
    file::read(path, seal).map_err(|source| read_failed(path, source))
}

/// What it means that a snapshot cannot be read.
pub(crate) fn read_failed(path: &Path, source: io::Error) -> OpenError {
    if let Some(why) = VaultError::no_key_in(&source) {
        let path = path.to_owned();
        return OpenError::Sealed { path, why };
    }
    match source.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => OpenError::Snapshot {
            path: path.to_owned(),
            why: describe(&source),
        },
        _ => OpenError::Io {
            path: path.to_owned(),
            source,
        },
    }
}

fn describe(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "its end is missing".to_owned(),
        _ => error.to_string(),
    }
}

/// The snapshots, oldest first.
pub(crate) fn list(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == EXTENSION) && index_of(&path).is_some() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn index_of(path: &Path) -> Option<u64> {
    path.file_stem()?.to_str()?.split('-').next()?.parse().ok()
}

pub(crate) fn remove_unfinished(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "tmp") {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}
