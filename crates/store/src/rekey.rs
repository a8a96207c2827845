//! Seals what a running store has on its disk with the key that its vault seals with now.
//!
//! Files are sealed anew. The log is not: once a snapshot covers what was logged until the key was changed, that part of it
//! goes, as it would have by and by. An interruption leaves the folder's identity with the name of the old key, and the next
//! start seals all there is.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::time::{Instant, sleep, timeout_at};

use crate::{
    OpenError, ResealError, Store, backups,
    blocking::aside,
    folder::{backup_dir, io_at},
    raft::LogId,
    reseal::reseal_file,
    snapshot::{self, Snapshots},
    store::Inner,
    vault::Seal,
};

/// What others do meanwhile, such as sending this server a snapshot, may take so long.
const WITHIN: Duration = Duration::from_secs(120);

const LOOK_EVERY: Duration = Duration::from_millis(100);
const ASK_AGAIN: Duration = Duration::from_secs(1);

impl Store {
    /// Seals everything in the folder with the key that the vault seals with now; it has to open what was sealed before
    /// until this returns. Nothing is sealed with another key then. Reads and writes go on meanwhile.
    ///
    /// # Errors
    /// Where a file cannot be sealed anew, or the log has not let go in time of what was sealed before: keys of before are
    /// still needed, and the next start ends what this began.
    pub async fn reseal(&self) -> Result<(), ResealError> {
        let (inner, deadline) = (&self.inner, Instant::now() + WITHIN);
        // From here on, whatever begins to be written is sealed with the present key.
        if let Some(last) = inner.log.last() {
            let pending = |_| ResealError::Pending("the log still holds entries that were sealed with it");
            timeout_at(deadline, let_go(inner, last))
                .await
                .map_err(pending)??;
        }
        loop {
            let (backups, snapshots) = (backup_dir(&inner.config.dir), inner.snapshots.clone());
            let work = aside(move || reseal_files(&snapshots, &backups, snapshots.seal()));
            let left = work.await.map_err(io_at(&inner.config.dir))??;
            if left == 0 {
                break;
            }
            if Instant::now() >= deadline {
                return Err(ResealError::Pending(
                    "a file that was begun with it is still being written",
                ));
            }
            sleep(LOOK_EVERY).await;
        }
        let (home, label) = (inner.home.clone(), inner.snapshots.seal().label());
        let named = aside(move || home.set_seal(label)).await;
        Ok(named.map_err(io_at(&inner.config.dir))??)
    }
}

/// Waits until the log does not hold this entry any more, nor any before it.
async fn let_go(inner: &Inner, last: LogId) -> Result<(), ResealError> {
    let stopped = |_| ResealError::Pending("the store is shut down");
    let mut asked: Option<Instant> = None;
    while inner.log.purged().is_none_or(|purged| purged.index < last.index) {
        let covered = inner.snapshots.newest().and_then(|(meta, _)| meta.last_log_id);
        if covered.is_some_and(|covered| covered.index >= last.index) {
            let trigger = inner.raft.trigger();
            trigger.purge_log(last.index).await.map_err(stopped)?;
        } else if asked.is_none_or(|asked| asked.elapsed() >= ASK_AGAIN) {
            // Consensus skips, without a word, what it is asked for at the wrong moment.
            inner.raft.trigger().snapshot().await.map_err(stopped)?;
            asked = Some(Instant::now());
        }
        sleep(LOOK_EVERY).await;
    }
    Ok(())
}

/// Seals files anew; how many are still being written that were begun with another key. Blocks.
fn reseal_files(snapshots: &Snapshots, backup_dir: &Path, seal: &Seal) -> Result<usize, ResealError> {
    let label = seal.label();
    let other_key = |path: &PathBuf| match snapshot::open(path, seal) {
        Ok(file) => file.into_label() != label,
        // It may be there in part, and its key not to be seen yet.
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    };
    // Those first: whatever is begun from here on is sealed with the present key, and what ends is looked at below.
    let mut begun = snapshots.unchanged(unfinished)?;
    if backup_dir.exists() {
        begun.extend(unfinished(backup_dir)?);
    }
    let left = begun.iter().filter(|path| other_key(path)).count();
    snapshots.unchanged(|dir| {
        let paths = snapshot::list(dir).map_err(io_at(dir))?;
        let mut old = paths.iter().filter(|path| other_key(path));
        old.try_for_each(|path| reseal_file(path, seal))
    })?;
    if backup_dir.exists() {
        let paths = backups::list(backup_dir).map_err(io_at(backup_dir))?;
        for path in paths.iter().filter(|path| other_key(path)) {
            match reseal_file(path, seal) {
                // A backup is only ever a copy, and this one nobody can open as it is.
                Err(error @ (OpenError::Sealed { .. } | OpenError::Snapshot { .. })) => {
                    tracing::warn!(%error, "a backup is left as it is");
                }
                // It went in its time.
                Err(_) if !path.exists() => {}
                sealed => sealed?,
            }
        }
    }
    Ok(left)
}

/// Files of a folder that are being written.
fn unfinished(dir: &Path) -> Result<Vec<PathBuf>, OpenError> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir).map_err(io_at(dir))? {
        let path = entry.map_err(io_at(dir))?.path();
        if path.extension().is_some_and(|extension| extension == "tmp") {
            paths.push(path);
        }
    }
    Ok(paths)
}
