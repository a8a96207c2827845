//! Backups that are taken by themselves: files beside the log, the last few of them kept.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Weak},
    time::{Duration, SystemTime},
};

use tokio::time::sleep;

use crate::{
    BackupConfig,
    blocking::aside,
    folder::backup_dir,
    snapshot::{self, Head},
    store::Inner,
};

const EXTENSION: &str = "snapshot";

/// After a backup that could not be written.
const RETRY_AFTER: Duration = Duration::from_secs(60);

/// Takes them.
pub(crate) struct Backups {
    inner: Weak<Inner>,
    dir: PathBuf,
    config: BackupConfig,
    /// The revision of the newest one.
    newest: Option<u64>,
}

impl Backups {
    /// `None` where none are wanted.
    pub(crate) fn of(inner: &Arc<Inner>) -> Option<Self> {
        let config = inner.config.backups.filter(|config| config.keep > 0)?;
        let dir = backup_dir(&inner.config.dir);
        let newest = list(&dir).ok().and_then(|paths| revision_of(paths.last()?));
        Some(Self {
            inner: Arc::downgrade(inner),
            dir,
            config,
            newest,
        })
    }

    /// Runs until the store is gone.
    pub(crate) async fn run(mut self) {
        sleep(self.first_wait()).await;
        while let Some(inner) = self.inner.upgrade() {
            let wait = match self.take(&inner).await {
                Ok(()) => self.config.interval,
                Err(error) => {
                    tracing::warn!(%error, "no backup was taken");
                    self.config.interval.min(RETRY_AFTER)
                }
            };
            drop(inner);
            sleep(wait).await;
        }
    }

    /// A restart neither skips a backup nor takes one early.
    fn first_wait(&self) -> Duration {
        let newest = list(&self.dir).ok().and_then(|mut paths| paths.pop());
        let modified = newest.and_then(|path| fs::metadata(path).ok()?.modified().ok());
        let age = modified.and_then(|modified| SystemTime::now().duration_since(modified).ok());
        age.map_or(self.config.interval, |age| {
            self.config.interval.saturating_sub(age)
        })
    }

    async fn take(&mut self, inner: &Inner) -> io::Result<()> {
        let (head, state) = inner.contents();
        let revision = state.revision();
        if self.newest == Some(revision) {
            return Ok(());
        }
        let (dir, keep) = (self.dir.clone(), self.config.keep);
        let (seal, care) = (inner.snapshots.seal().clone(), inner.snapshots.care().clone());
        let path = self.dir.join(file_name(revision));
        let write = move || {
            fs::create_dir_all(&dir)?;
            let bytes = snapshot::write(&path, &head, &state, &seal, &care)?;
            tracing::info!(path = %path.display(), revision, bytes, "backup taken");
            prune(&dir, keep)
        };
        aside(write).await??;
        self.newest = Some(revision);
        Ok(())
    }
}

impl Inner {
    /// The state as it is here and now, and what it covers.
    pub(crate) fn contents(&self) -> (Head, skep_state::State) {
        use openraft::async_runtime::watch::WatchReceiver;
        // The head is read first: it may say less than there is, never more.
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        let head = Head {
            meta: crate::raft::SnapshotMeta {
                last_log_id: metrics.last_applied,
                last_membership: metrics.committed_membership_config.as_ref().clone(),
            },
            cluster_id: self
                .home
                .origin()
                .map_or_else(String::new, |origin| origin.cluster_id.clone()),
            numbers: self.shared.numbers(),
        };
        (head, self.shared.state())
    }
}

/// Sorted by name they are sorted by age, as long as the clock runs forward.
fn file_name(revision: u64) -> String {
    let at = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
    format!("{at}-{revision}.{EXTENSION}")
}

fn revision_of(path: &Path) -> Option<u64> {
    path.file_stem()?.to_str()?.rsplit('-').next()?.parse().ok()
}

fn prune(dir: &Path, keep: usize) -> io::Result<()> {
    let paths = list(dir)?;
    for path in &paths[..paths.len().saturating_sub(keep)] {
        fs::remove_file(path)?;
    }
    Ok(())
}

/// The backups, oldest first.
pub(crate) fn list(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == EXTENSION) && revision_of(&path).is_some() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}
