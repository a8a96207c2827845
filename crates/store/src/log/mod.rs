//! The durable log of entries and votes.

mod appends;
pub(crate) mod codec;

use std::{
    io,
    ops::{Bound, RangeBounds},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use futures::{Stream, stream};
use openraft::{
    LogState, OptionalSend, RaftLogReader,
    entry::RaftEntry,
    storage::{IOFlushed, RaftLogStorage},
    vote::RaftLeaderId,
};
use raft_log::{Callback, RaftLog, api::raft_log_writer::RaftLogWriter};
use tokio::sync::{Notify, oneshot};

use crate::{
    OpenError,
    blocking::in_place,
    config::DiskDelay,
    folder::Folder,
    raft::{LogEntry, LogId, Types, Vote},
    vault::{Seal, VaultError},
};
use appends::Appends;
use codec::{LogIdRecord, PayloadRecord, VoteRecord};

/// A file of the log is closed at this size. The entries of the open file are held in memory.
const FILE_BYTES_MAX: usize = 2 * 1024 * 1024;
const CACHE_BYTES_MAX: usize = 1024 * 1024;
/// Entries go to a follower until they have this many bytes; one may be larger.
const SEND_BYTES_MAX: usize = 1024 * 1024;
/// Entries that are in memory while a log is copied.
const COPIED_AT_ONCE: u64 = 64;
const READ_BUFFER_BYTES: usize = 256 * 1024;

/// The log; clones share it.
#[derive(Clone)]
pub(crate) struct Log {
    file: Arc<Mutex<Option<RaftLog<LogTypes>>>>,
    seal: Seal,
    appends: Arc<Appends>,
    growth: Arc<Growth>,
    delay: Option<DiskDelay>,
}

/// How much was logged since the last snapshot.
#[derive(Debug, Default)]
pub(crate) struct Growth {
    pub(crate) entries: AtomicU64,
    pub(crate) bytes: AtomicU64,
    /// Rings with every append.
    pub(crate) grown: Notify,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct LogTypes;

impl raft_log::Types for LogTypes {
    type LogId = LogIdRecord;
    type LogPayload = PayloadRecord;
    type Vote = VoteRecord;
    type Callback = Done;
    type UserData = ();

    fn log_index(log_id: &LogIdRecord) -> u64 {
        log_id.0.index
    }

    fn payload_size(payload: &PayloadRecord) -> u64 {
        payload.len() as u64
    }
}

/// Told once a write is durable.
struct Done(oneshot::Sender<io::Result<()>>);

impl Callback for Done {
    fn send(self, result: io::Result<()>) {
        // Nobody listens any more where the store is being shut down.
        self.0.send(result).ok();
    }
}

/// Opens the log of a store's folder. One that another store still holds is in use, not damaged.
pub(crate) fn open_log(folder: &Folder, seal: &Seal) -> Result<Log, OpenError> {
    let path = folder.log_dir();
    Log::open(&path, seal.clone()).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => OpenError::Locked {
            dir: folder.dir.clone(),
        },
        _ => unreadable(path, &error),
    })
}

/// What it means that the log cannot be read.
pub(crate) fn unreadable(path: PathBuf, error: &io::Error) -> OpenError {
    match VaultError::no_key_in(error) {
        Some(why) => OpenError::Sealed { path, why },
        None => OpenError::Log {
            path,
            why: error.to_string(),
        },
    }
}

impl Log {
    /// Opens the log in a folder that exists. A torn end is cut off: it was never acknowledged.
    pub(crate) fn open(dir: &Path, seal: Seal) -> io::Result<Self> {
        let mut config = raft_log::Config::new(dir.display());
        config.wal.read_buffer_size = Some(READ_BUFFER_BYTES);
        config.wal.chunk_max_size = Some(FILE_BYTES_MAX);
        config.wal.flush_batch_wait = Some(Duration::ZERO);
        config.log_cache_capacity = Some(CACHE_BYTES_MAX);
        let file = RaftLog::open(Arc::new(config))?;
        Ok(Self {
            file: Arc::new(Mutex::new(Some(file))),
            seal,
            growth: Arc::default(),
            appends: Arc::default(),
            delay: None,
        })
    }

    /// The same log on a slower disk.
    pub(crate) fn delayed(self, delay: Option<DiskDelay>) -> Self {
        Self { delay, ..self }
    }

    /// Writes what is left and lets go of the files; every later use fails.
    pub(crate) fn close(&self) {
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(file);
    }

    pub(crate) fn growth(&self) -> &Growth {
        &self.growth
    }

    /// The last entry that is no longer in the log.
    pub(crate) fn purged(&self) -> Option<LogId> {
        self.with(|file| Ok(file.log_state().purged().map(|id| id.0)))
            .ok()
            .flatten()
    }

    /// The last entry that was ever in the log.
    pub(crate) fn last(&self) -> Option<LogId> {
        self.with(|file| Ok(file.log_state().last().map(|id| id.0)))
            .ok()
            .flatten()
    }

    fn with<T>(&self, work: impl FnOnce(&mut RaftLog<LogTypes>) -> io::Result<T>) -> io::Result<T> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        work(
            file.as_mut()
                .ok_or_else(|| io::Error::other("the log is closed"))?,
        )
    }

    /// Makes sure that the next election is of a later term than this. Blocks.
    pub(crate) fn vote_at_least(&self, term: u64, server_id: u64) -> io::Result<()> {
        let vote = self.with(|file| Ok(file.log_state().vote().map(|vote| vote.0)))?;
        let term = vote.map_or(term, |vote| vote.leader_id().term().max(term)) + 1;
        self.with(|file| file.save_vote(VoteRecord(Vote::new(term, server_id))).map(drop))?;
        self.wait_until_durable()
    }

    /// Drops everything up to an entry that is in a snapshot. Blocks.
    pub(crate) fn forget(&self, upto: LogId) -> io::Result<()> {
        self.with(|file| file.purge(LogIdRecord(upto)).map(drop))?;
        self.wait_until_durable()
    }

    fn wait_until_durable(&self) -> io::Result<()> {
        let (sender, receiver) = oneshot::channel();
        self.with(|file| file.flush(true, Some(Done(sender))))?;
        futures::executor::block_on(receiver).map_err(|_| io::Error::other("the log has stopped"))?
    }

    /// The entries that there are of `from..to`.
    pub(crate) fn read(&self, from: u64, to: u64) -> io::Result<Vec<LogEntry>> {
        self.with(|file| {
            file.read(from, to)
                .map(|read| read.and_then(|(id, payload)| self.entry(id, payload)))
                .collect()
        })
    }

    /// Makes sure that each entry from this one on can be opened: its checksum tells damage, and nothing of what was changed
    /// with care. How many bytes they have.
    pub(crate) fn check(&self, from: u64) -> io::Result<u64> {
        self.with(|file| {
            let mut bytes = 0;
            for read in file.read(from, u64::MAX) {
                let (id, payload) = read?;
                bytes += payload.len() as u64;
                self.entry(id, payload)?;
            }
            Ok(bytes)
        })
    }

    /// Writes all that there is into an empty log. Blocks.
    pub(crate) fn copy_to(&self, other: &Self) -> io::Result<()> {
        let (vote, purged) = self.with(|file| {
            let state = file.log_state();
            Ok((state.vote().copied(), state.purged().copied()))
        })?;
        other.with(|file| {
            vote.map(|vote| file.save_vote(vote)).transpose()?;
            purged.map(|upto| file.purge(upto)).transpose().map(drop)
        })?;
        let mut from = purged.map_or(0, |upto| upto.0.index + 1);
        loop {
            let entries = self.read(from, from + COPIED_AT_ONCE)?;
            let Some(last) = entries.last() else { break };
            from = last.log_id.index + 1;
            let records = entries.into_iter().map(|entry| {
                let id = entry.log_id;
                (
                    LogIdRecord(id),
                    PayloadRecord::new(entry.payload, &other.seal, id),
                )
            });
            other.with(|file| file.append(records).map(drop))?;
            other.wait_until_durable()?;
        }
        other.wait_until_durable()
    }

    fn entry(&self, id: LogIdRecord, payload: PayloadRecord) -> io::Result<LogEntry> {
        Ok(LogEntry::new(id.0, payload.open(&self.seal, id.0)?))
    }

    /// Does some work on the log and waits until it is durable.
    async fn durably<T>(&self, work: impl FnOnce(&mut RaftLog<LogTypes>) -> io::Result<T>) -> io::Result<()> {
        self.with(|file| work(file).map(drop))?;
        if let Some(delay) = &self.delay {
            tokio::time::sleep(delay()).await;
        }
        if in_place() {
            self.wait_until_durable()?;
            // Nothing is left to do for the log's own thread, such as to remove files.
            return self.with(|file| file.wait_worker_idle());
        }
        let (sender, receiver) = oneshot::channel();
        self.with(|file| file.flush(true, Some(Done(sender))))?;
        receiver
            .await
            .map_err(|_| io::Error::other("the log has stopped"))?
    }
}

impl RaftLogReader<Types> for Log {
    async fn try_get_log_entries<R: RangeBounds<u64> + Clone + std::fmt::Debug + OptionalSend>(
        &mut self,
        range: R,
    ) -> io::Result<Vec<LogEntry>> {
        let (from, to) = ends(&range);
        self.read(from, to)
    }

    async fn entries_stream<R: RangeBounds<u64> + Clone + std::fmt::Debug + OptionalSend>(
        &mut self,
        range: R,
    ) -> impl Stream<Item = io::Result<LogEntry>> + OptionalSend {
        let (from, to) = ends(&range);
        let log = self.clone();
        // One at a time: after a restart the range is the whole log.
        stream::iter(
            (from..to).flat_map(move |index| match log.read(index, index + 1) {
                Ok(entries) => entries.into_iter().map(Ok).collect(),
                Err(error) => vec![Err(error)],
            }),
        )
    }

    async fn limited_get_log_entries(&mut self, from: u64, to: u64) -> io::Result<Vec<LogEntry>> {
        self.with(|file| {
            let (mut entries, mut bytes) = (Vec::new(), 0);
            for read in file.read(from, to) {
                let (id, payload) = read?;
                bytes += payload.len();
                entries.push(self.entry(id, payload)?);
                if bytes >= SEND_BYTES_MAX {
                    break;
                }
            }
            Ok(entries)
        })
    }

    async fn read_vote(&mut self) -> io::Result<Option<Vote>> {
        self.with(|file| Ok(file.log_state().vote().map(|vote| vote.0)))
    }
}

impl RaftLogStorage<Types> for Log {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> io::Result<LogState<Types>> {
        self.with(|file| {
            let state = file.log_state();
            let (purged, last) = (state.purged().map(|id| id.0), state.last().map(|id| id.0));
            Ok(LogState {
                last_purged_log_id: purged,
                last_log_id: last.or(purged),
            })
        })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> io::Result<()> {
        let vote = VoteRecord(*vote);
        self.durably(|file| file.save_vote(vote)).await
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<Types>) -> io::Result<()>
    where
        I: IntoIterator<Item = LogEntry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let (mut count, mut bytes) = (0, 0);
        let records = entries.into_iter().map(|entry| {
            let id = entry.log_id();
            let payload = PayloadRecord::new(entry.payload, &self.seal, id);
            count += 1;
            bytes += payload.len() as u64;
            (LogIdRecord(id), payload)
        });
        self.with(|file| {
            file.append(records)?;
            // A file that is full goes to the log's own thread.
            if in_place() {
                file.wait_worker_idle()
            } else {
                Ok(())
            }
        })?;
        self.appends.add(callback);
        self.growth.entries.fetch_add(count, Relaxed);
        self.growth.bytes.fetch_add(bytes, Relaxed);
        self.growth.grown.notify_one();
        Ok(())
    }

    async fn truncate_after(&mut self, last: Option<LogId>) -> io::Result<()> {
        let next = last.map_or(0, |id| id.index + 1);
        self.durably(|file| file.truncate(next)).await
    }

    async fn purge(&mut self, upto: LogId) -> io::Result<()> {
        self.durably(|file| file.purge(LogIdRecord(upto))).await
    }
}

fn ends(range: &impl RangeBounds<u64>) -> (u64, u64) {
    let from = match range.start_bound() {
        Bound::Included(from) => *from,
        Bound::Excluded(before) => before.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let to = match range.end_bound() {
        Bound::Included(last) => last.saturating_add(1),
        Bound::Excluded(to) => *to,
        Bound::Unbounded => u64::MAX,
    };
    (from, to)
}
