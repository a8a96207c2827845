//! Takes snapshots when the log has grown, and drops the log that no kept snapshot needs.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

use crate::{log::Log, raft::Raft, snapshot::Snapshots};

/// How long to wait for a snapshot, and after one that could not be written.
const RETRY_AFTER: Duration = Duration::from_secs(30);

/// How long there is no other snapshot, as long as the log is not too long for a start: where thousands of writes a second
/// fill it again at once, snapshots would take a good part of the processors.
const REST: Duration = Duration::from_secs(10);

/// A large snapshot is written anew once the log has grown by this many times its size, packed as it is: it is much work.
const SNAPSHOT_TIMES: u64 = 3;

/// The log is read at the next start, so it grows no further than this many times what it may in a small cluster.
const SHARE_MAX: u64 = 4;

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
        let mut calendar = Calendar::new();
        let mut covered = None;
        loop {
            if self.wanted(calendar).is_some_and(|when| Instant::now() >= when) {
                // Consensus skips what it holds needless, without a word: ask again later in any case.
                calendar.asked();
                covered = Some(self.grown_by());
                if self.raft.trigger().snapshot().await.is_err() {
                    return;
                }
            }
            let wanted = self.wanted(calendar);
            let due = async {
                match wanted {
                    Some(when) => sleep_until(when).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.log.growth().grown.notified() => {}
                () = due => {}
                changed = attempts.changed() => {
                    let taken = attempts.borrow_and_update().result.as_ref().is_some_and(Result::is_ok);
                    if changed.is_err() {
                        return;
                    }
                    if taken {
                        if self.tidy(covered.take()).await.is_err() {
                            return;
                        }
                        calendar.taken();
                    }
                }
            }
        }
    }

    /// After a snapshot, which covers at least so much of what the log has grown by: all of it, where that is not known.
    async fn tidy(&self, covered: Option<(u64, u64)>) -> Result<(), ()> {
        let growth = self.log.growth();
        let (entries, bytes) = covered.unwrap_or_else(|| self.grown_by());
        growth.entries.fetch_sub(entries, Relaxed);
        growth.bytes.fetch_sub(bytes, Relaxed);
        match self.snapshots.oldest_kept() {
            Some(upto) => self.raft.trigger().purge_log(upto).await.map_err(drop),
            None => Ok(()),
        }
    }

    /// When the next snapshot is wanted, if any.
    fn wanted(&self, calendar: Calendar) -> Option<Instant> {
        if self.has_grown(SHARE_MAX) {
            Some(calendar.not_before)
        } else {
            self.has_grown(self.share()).then_some(calendar.at_leisure)
        }
    }

    /// The entries and bytes logged since the last snapshot.
    fn grown_by(&self) -> (u64, u64) {
        let growth = self.log.growth();
        (growth.entries.load(Relaxed), growth.bytes.load(Relaxed))
    }

    /// Whether the log has grown by so many times what it may grow by in a small cluster.
    fn has_grown(&self, share: u64) -> bool {
        let (entries, bytes) = self.grown_by();
        entries >= self.entries_max * share || bytes >= self.bytes_max * share
    }

    /// How many times the log may grow by what it may grow by in a small cluster.
    fn share(&self) -> u64 {
        let bytes = self.snapshots.newest().map_or(0, |(_, info)| info.bytes);
        (bytes * SNAPSHOT_TIMES / self.bytes_max.max(1)).clamp(1, SHARE_MAX)
    }
}

/// When a snapshot may be taken.
#[derive(Clone, Copy, Debug)]
struct Calendar {
    /// Where the log has become too long.
    not_before: Instant,
    /// Where it has merely grown.
    at_leisure: Instant,
}

impl Calendar {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            not_before: now,
            at_leisure: now,
        }
    }

    fn asked(&mut self) {
        self.not_before = Instant::now() + RETRY_AFTER;
        self.at_leisure = self.not_before;
    }

    fn taken(&mut self) {
        self.not_before = Instant::now();
        self.at_leisure = self.not_before + REST;
    }
}
