//! Takes snapshots when the log has grown, and drops the log that no kept snapshot needs.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

use crate::{log::Log, raft::Raft, snapshot::Snapshots};

/// How long to wait after a snapshot that could not be written.
const RETRY_AFTER: Duration = Duration::from_secs(30);

/// The store's housekeeping.
pub(crate) struct Upkeep {
    pub(crate) raft: Raft,
    pub(crate) log: Log,
    pub(crate) snapshots: Arc<Snapshots>,
    pub(crate) entries_max: u64,
    pub(crate) bytes_max: u64,
}

impl Upkeep {
    /// Runs until consensus stops.
    pub(crate) async fn run(self) {
        let mut attempts = self.snapshots.attempts();
        let mut not_before = Instant::now();
        let mut taking = false;
        loop {
            if !taking && self.is_due() && Instant::now() >= not_before {
                taking = true;
                if self.raft.trigger().snapshot().await.is_err() {
                    return;
                }
            }
            let retry = !taking && self.is_due();
            tokio::select! {
                () = self.log.growth().grown.notified() => {}
                () = sleep_until(not_before), if retry => {}
                changed = attempts.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    taking = false;
                    let taken = attempts.borrow_and_update().result.as_ref().is_some_and(Result::is_ok);
                    if taken {
                        self.reset_growth();
                        if self.drop_log().await.is_err() {
                            return;
                        }
                    } else {
                        not_before = Instant::now() + RETRY_AFTER;
                    }
                }
            }
        }
    }

    fn is_due(&self) -> bool {
        let growth = self.log.growth();
        growth.entries.load(Relaxed) >= self.entries_max || growth.bytes.load(Relaxed) >= self.bytes_max
    }

    fn reset_growth(&self) {
        let growth = self.log.growth();
        growth.entries.store(0, Relaxed);
        growth.bytes.store(0, Relaxed);
    }

    async fn drop_log(&self) -> Result<(), ()> {
        match self.snapshots.oldest_kept() {
            Some(upto) => self.raft.trigger().purge_log(upto).await.map_err(drop),
            None => Ok(()),
        }
    }
}
