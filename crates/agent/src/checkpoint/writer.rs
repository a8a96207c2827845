//! Writes the checkpoint, a few changes at a time, and once more before the agent ends.

use std::{path::PathBuf, sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::{Checkpoint, Disk, error::CheckpointError};
use crate::blocking::caught;

/// Changes that come this close together are written at once.
const COALESCE: Duration = Duration::from_millis(100);

const BACKOFF_MIN: Duration = Duration::from_secs(1);
const BACKOFF_MAX: Duration = Duration::from_secs(60);

/// Writes what changes until `stop` is cancelled. Without a disk one is opened when there is something to write.
pub(crate) async fn write(
    checkpoint: Arc<Checkpoint>,
    mut disk: Option<Disk>,
    data_dir: PathBuf,
    stop: CancellationToken,
) {
    let mut wait = BACKOFF_MIN;
    loop {
        tokio::select! {
            () = checkpoint.changed() => {}
            () = stop.cancelled() => {}
        }
        pause(COALESCE, &stop).await;
        let is_last = stop.is_cancelled();
        match write_once(&checkpoint, disk.take(), data_dir.clone()).await {
            Ok(written) => {
                disk = Some(written);
                wait = BACKOFF_MIN;
            }
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the checkpoint cannot be written; what runs is not affected"
                );
                pause(wait, &stop).await;
                wait = (wait * 2).min(BACKOFF_MAX);
            }
        }
        if is_last {
            return;
        }
    }
}

async fn pause(duration: Duration, stop: &CancellationToken) {
    tokio::select! {
        () = tokio::time::sleep(duration) => {}
        () = stop.cancelled() => {}
    }
}

async fn write_once(
    checkpoint: &Checkpoint,
    disk: Option<Disk>,
    data_dir: PathBuf,
) -> Result<Disk, CheckpointError> {
    let mut disk = match disk {
        Some(disk) => disk,
        None => {
            let (disk, saved) = on_disk(move || Disk::open_once_closed(&data_dir)).await?;
            checkpoint.found(&saved.names);
            disk
        }
    };
    let changes = Arc::new(checkpoint.take());
    let theirs = Arc::clone(&changes);
    let written = on_disk(move || disk.write(&theirs).map(|()| disk)).await;
    if written.is_err() {
        checkpoint.give_back(&changes);
    }
    written
}

/// Runs what blocks; sled panics over some failures of the disk.
async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CheckpointError> + Send + 'static,
) -> Result<T, CheckpointError> {
    caught(work).await.unwrap_or(Err(CheckpointError::GaveUp))
}
