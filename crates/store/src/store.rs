//! The door to the replicated state.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError, Weak, atomic::Ordering::Relaxed},
    thread,
    time::Duration,
};

use bytes::Bytes;
use openraft::{ReadPolicy, ServerState, async_runtime::watch::WatchReceiver, errors::Fatal};
use skep_state::{Compacted, State};
use tokio::{
    sync::{Notify, mpsc, watch},
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    Member, OpenError, SnapshotError, SnapshotInfo, StoreConfig, Watch,
    backups::Backups,
    batch::{self, Lines},
    blocking::blocking,
    folder::Folder,
    guide::Guide,
    home::Home,
    leadership::{Leadership, View, describe, view_of},
    log::{Log, open_log, unreadable},
    machine::{Machine, Shared},
    peers::{Incoming, Manage, Network, Peers},
    raft::{Raft, SnapshotMeta, Types},
    reads::{self, Waiting},
    relief,
    reseal::reseal,
    sending::Sending,
    snapshot::{Head, Snapshots},
    upkeep::Upkeep,
    vault::Seal,
};

/// How often, and how long apart, a folder that is in use is looked at before that is an error.
const OPEN_ATTEMPTS: u32 = 10;
const OPEN_PAUSE: Duration = Duration::from_millis(100);

const START_TIMEOUT: Duration = Duration::from_secs(30);

/// When to ask again for a snapshot that does not begin.
const SNAPSHOT_AGAIN: Duration = Duration::from_millis(500);

/// How long a leader that stops looks for an heir.
const FAREWELL: Duration = Duration::from_secs(1);

/// One try to tell the others where this server is.
const ANNOUNCE_LIMIT: Duration = Duration::from_secs(5);
const ANNOUNCE_PAUSE: Duration = Duration::from_secs(1);

/// The most entries that go to a follower at once; their bytes are limited as well.
const ENTRIES_AT_ONCE: u64 = 4096;

/// The replicated state, kept durable in a folder. Clones are handles to the same store.
#[derive(Clone)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) config: StoreConfig,
    pub(crate) home: Arc<Home>,
    pub(crate) raft: Raft,
    pub(crate) log: Log,
    pub(crate) shared: Arc<Shared>,
    pub(crate) snapshots: Arc<Snapshots>,
    pub(crate) incoming: Incoming,
    pub(crate) peers: Arc<Peers>,
    pub(crate) view: watch::Receiver<View>,
    pub(crate) leads: watch::Receiver<bool>,
    pub(crate) members: watch::Receiver<Vec<Member>>,
    pub(crate) failure: watch::Receiver<Option<String>>,
    pub(crate) reads: mpsc::Sender<Waiting>,
    pub(crate) lines: Lines,
    pub(crate) sending: Arc<Sending>,
    /// Told when a write was refused for want of space.
    pub(crate) short_of_space: Arc<Notify>,
    /// Emptied by shutdown.
    tasks: Mutex<JoinSet<()>>,
}

/// What a folder holds, before consensus starts.
struct Opened {
    folder: Folder,
    log: Log,
    snapshots: Snapshots,
    head: Head,
    state: State,
}

/// Where a running store keeps what it knows.
struct Kept {
    log: Log,
    shared: Arc<Shared>,
    snapshots: Arc<Snapshots>,
    sending: Arc<Sending>,
}

impl Store {
    /// Opens a folder; what becomes of an empty one is for [`crate::Start`] to say. A server that is the only voter
    /// returns once it leads and has applied all that its log holds; any other returns at once, and finds its leader,
    /// or waits to be added, by and by.
    ///
    /// # Errors
    /// Says which file is at fault and what to do; nothing that was acknowledged is ever given up silently.
    pub async fn open(config: StoreConfig) -> Result<Self, OpenError> {
        let Opened {
            folder,
            log,
            snapshots,
            head,
            state,
        } = open_patiently(&config).await?;
        let home = Arc::new(Home::new(folder));
        let sending = Arc::new(Sending::new());
        let shared = Arc::new(Shared::new(state, head.numbers, sending.by()));
        let snapshots = Arc::new(snapshots);
        let peers = Arc::new(Peers::new(home.clone(), config.transport.clone()));
        let machine = Machine::new(home.clone(), shared.clone(), snapshots.clone(), head.meta);
        let network = Network {
            me: config.member.id,
            peers: peers.clone(),
            seal: snapshots.seal().clone(),
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(log.clone().flush_appends());
        let raft = Raft::new(
            config.member.id,
            raft_config(&config),
            network,
            log.clone(),
            machine,
        )
        .await
        .map_err(|fatal| OpenError::Start(describe(&fatal)))?;
        start(&raft, &config, &home).await?;
        let kept = Kept {
            log,
            shared,
            snapshots,
            sending,
        };
        Ok(Self::assemble(config, home, peers, raft, kept, tasks))
    }

    /// Answers a message that another server's [`crate::Transport`] carried here. `from` is the number in its
    /// certificate.
    pub async fn serve(&self, from: u64, request: Bytes) -> Bytes {
        self.inner.answer(from, &request).await
    }

    /// This server's own state, which may lag behind the leader's. Costs next to nothing.
    pub fn state(&self) -> State {
        self.inner.shared.state()
    }

    /// As [`Store::state`], shared with all who look at the same moment: for those who look a thousand times a second.
    pub fn view(&self) -> Arc<State> {
        self.inner.shared.view()
    }

    /// The revision of this server's own state.
    pub fn revisions(&self) -> watch::Receiver<u64> {
        self.inner.shared.revisions()
    }

    /// Follows what happens after a revision.
    ///
    /// # Errors
    /// [`Compacted`] where the history does not reach back that far.
    pub fn watch(&self, from: u64) -> Result<Watch, Compacted> {
        Watch::new(self.inner.shared.clone(), from)
    }

    /// The cluster's id: made with the cluster, never changed. Empty until this server has heard from it.
    pub fn cluster_id(&self) -> &str {
        self.inner.home.origin().map_or("", |origin| &origin.cluster_id)
    }

    /// This server's number in the cluster.
    pub fn server_id(&self) -> u64 {
        self.inner.config.member.id
    }

    /// Waits until the store stops by itself, which it does when its disk fails; why, in words. Waits for ever where
    /// the store is shut down in order.
    pub async fn failed(&self) -> String {
        let mut failure = self.inner.failure.clone();
        let why = failure
            .wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|why| why.clone());
        match why {
            Some(why) => why,
            None => std::future::pending().await,
        }
    }

    /// Takes a snapshot now, of at least all that is applied.
    ///
    /// # Errors
    /// Where it cannot be written; the store goes on without.
    pub async fn snapshot(&self) -> Result<SnapshotInfo, SnapshotError> {
        let wanted = self.state().revision();
        let mut attempts = self.inner.snapshots.attempts();
        loop {
            attempts.mark_unchanged();
            if let Some((_, newest)) = self
                .inner
                .snapshots
                .newest()
                .filter(|(_, info)| info.revision >= wanted)
            {
                return Ok(newest);
            }
            self.inner
                .raft
                .trigger()
                .snapshot()
                .await
                .map_err(|_| SnapshotError::Stopped)?;
            tokio::select! {
                changed = attempts.changed() => changed.map_err(|_| SnapshotError::Stopped)?,
                // Consensus may not have noticed yet that the last attempt has ended, and skipped this one.
                () = sleep(SNAPSHOT_AGAIN) => continue,
                () = self.stopped() => return Err(SnapshotError::Stopped),
            }
            // An attempt that began earlier may have ended: the next one covers what is wanted.
            if let Some(Err(error)) = attempts.borrow_and_update().result.clone() {
                return Err(error);
            }
        }
    }

    /// Stops: the lead is handed to another server, what was proposed is answered, everything is written, the folder is
    /// free for others. Other handles get [`crate::ProposeError::Stopped`] from then on.
    pub async fn shutdown(self) {
        let inner = &self.inner;
        if inner.view.borrow().leads && inner.heir().is_some() {
            // Where nobody takes it, they will miss this server soon enough.
            timeout(FAREWELL, inner.manage_here(Manage::Transfer(None)))
                .await
                .ok();
        }
        inner.raft.shutdown().await.ok();
        let mut tasks = std::mem::take(&mut *inner.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        let (log, snapshots) = (inner.log.clone(), inner.snapshots.clone());
        let closing = blocking(move || {
            log.close();
            snapshots.settle();
        });
        closing.await.ok();
        tasks.shutdown().await;
        inner.home.close();
    }

    fn assemble(
        config: StoreConfig,
        home: Arc<Home>,
        peers: Arc<Peers>,
        raft: Raft,
        kept: Kept,
        mut tasks: JoinSet<()>,
    ) -> Self {
        let Kept {
            log,
            shared,
            snapshots,
            sending,
        } = kept;
        let view = view_of(&raft.metrics().borrow_watched(), None);
        let (leads_sender, leads) = watch::channel(view.leads);
        let (members_sender, members) = watch::channel(Vec::new());
        let (view_sender, view) = watch::channel(view);
        let (failure_sender, failure) = watch::channel(None);
        let (reads, line) = reads::line();
        let (lines, own_line) = Lines::new();
        let leadership = Leadership {
            peers: peers.clone(),
            view: view_sender,
            leads: leads_sender,
            members: members_sender,
            failure: failure_sender,
        };
        tasks.spawn(leadership.follow(raft.clone()));
        let upkeep = Upkeep {
            raft: raft.clone(),
            log: log.clone(),
            snapshots: snapshots.clone(),
            entries_max: config.snapshot_entries,
            bytes_max: config.snapshot_bytes,
        };
        tasks.spawn(upkeep.run());
        let inner = Arc::new(Inner {
            config,
            home,
            raft,
            log,
            shared,
            incoming: Incoming::new(snapshots.clone()),
            snapshots,
            peers,
            view,
            leads,
            members,
            failure,
            reads,
            lines,
            sending,
            short_of_space: Arc::default(),
            tasks: Mutex::default(),
        });
        tasks.spawn(batch::write_own(Arc::downgrade(&inner), own_line));
        if inner.peers.any() {
            tasks.spawn(reads::answer_reads(Arc::downgrade(&inner), line));
            tasks.spawn(announce(Arc::downgrade(&inner)));
            tasks.spawn(relief::give_way(
                Arc::downgrade(&inner),
                inner.short_of_space.clone(),
            ));
        }
        if let Some(backups) = Backups::of(&inner) {
            tasks.spawn(backups.run());
        }
        *inner.tasks.lock().unwrap_or_else(PoisonError::into_inner) = tasks;
        Self { inner }
    }

    /// Waits until the store has stopped, by itself or because it was told to.
    async fn stopped(&self) {
        let mut leads = self.inner.leads.clone();
        while leads.changed().await.is_ok() {}
    }
}

impl Inner {
    /// Runs until the store is shut down.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .spawn(task);
    }

    /// Looks for the leader, for so long.
    pub(crate) fn guide(&self, limit: Duration) -> Guide {
        Guide::new(self.config.member.id, self.view.clone(), limit)
    }

    /// Why the store stopped by itself; `None` where it was told to.
    pub(crate) fn why_stopped(&self, fatal: &Fatal<Types>) -> Option<String> {
        match fatal {
            Fatal::Stopped => self.failure.borrow().clone(),
            other => Some(describe(other)),
        }
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("config", &self.inner.config)
            .finish_non_exhaustive()
    }
}

/// Whoever held the folder may be about to let go of it: a process that was just started by another thread holds what that thread
/// has open until it runs its own program.
async fn open_patiently(config: &StoreConfig) -> Result<Opened, OpenError> {
    for attempt in 1.. {
        let config = config.clone();
        let opened = blocking(move || open_folder(&config))
            .await
            .map_err(|error| OpenError::Start(error.to_string()))?;
        match opened {
            Err(OpenError::Locked { .. }) if attempt < OPEN_ATTEMPTS => sleep(OPEN_PAUSE).await,
            other => return other,
        }
    }
    unreachable!("the last attempt returns")
}

fn open_folder(config: &StoreConfig) -> Result<Opened, OpenError> {
    let mut folder = Folder::open(config)?;
    let seal = Seal::new(config.vault.clone());
    reseal(&mut folder, &seal)?;
    // The log's files are looked through while the snapshot is read.
    let (snapshots, log) = thread::scope(|scope| {
        let log = scope.spawn(|| open_log(&folder, &seal));
        let snapshots = Snapshots::open(folder.snapshot_dir(), seal.clone(), config.free_bytes_min / 2);
        (snapshots, log.join().expect("reading does not panic"))
    });
    let ((snapshots, loaded), log) = (snapshots?, log?.delayed(config.disk_delay.clone()));
    let (head, state) = loaded.unwrap_or_default();
    check_joint(&folder.dir, &log, &head.meta)?;
    let logged = log.last().map_or(0, |id| id.index + 1);
    let covered = head.meta.last_log_id.map_or(0, |id| id.index + 1);
    let bytes = log
        .check(covered)
        .map_err(|error| unreadable(folder.log_dir(), &error))?;
    let growth = log.growth();
    growth.entries.store(logged.saturating_sub(covered), Relaxed);
    growth.bytes.store(bytes, Relaxed);
    Ok(Opened {
        folder,
        log,
        snapshots,
        head,
        state,
    })
}

/// Snapshot and log must touch.
pub(crate) fn check_joint(dir: &Path, log: &Log, meta: &SnapshotMeta) -> Result<(), OpenError> {
    let snapshot_end = meta.last_log_id.map(|id| id.index);
    match log.purged().map(|id| id.index) {
        Some(log_after) if snapshot_end.is_none_or(|end| end < log_after) => Err(OpenError::Gap {
            dir: dir.to_owned(),
            log_after,
            snapshot_end,
        }),
        _ => Ok(()),
    }
}

fn raft_config(config: &StoreConfig) -> Arc<openraft::Config> {
    let heartbeat = u64::try_from(config.heartbeat.as_millis())
        .unwrap_or(u64::MAX)
        .max(10);
    let config = openraft::Config {
        cluster_name: "skep".to_owned(),
        heartbeat_interval: heartbeat,
        // A leader is missed after the greater of these, and as long again as a random time between them.
        election_timeout_min: heartbeat * 5 / 2,
        election_timeout_max: heartbeat * 4,
        max_payload_entries: ENTRIES_AT_ONCE,
        // Upkeep decides when to take snapshots and what to drop from the log.
        snapshot_policy: openraft::SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: u64::MAX,
        enable_pre_vote: Some(true),
        // A restart is an election: its first entry commits all that the log holds.
        enable_leader_restore: Some(false),
        backoff: "50ms ...1s".to_owned(),
        // Switched on by the first other member.
        enable_tick: false,
        ..openraft::Config::default()
    };
    Arc::new(config.validate().expect("the intervals are in order"))
}

/// Brings the first server up, or the only voter back to lead, and returns once all of its log is applied. A server
/// among others goes on by itself.
async fn start(raft: &Raft, config: &StoreConfig, home: &Home) -> Result<(), OpenError> {
    let failed = |error: &dyn std::fmt::Display| OpenError::Start(error.to_string());
    let me = config.member.id;
    let initialized = raft
        .is_initialized()
        .await
        .map_err(|fatal| failed(&describe(&fatal)))?;
    if initialized {
        let voters: Vec<u64> = raft.voter_ids().collect();
        if voters != [me] {
            return check_way(config, voters.len());
        }
        raft.trigger()
            .elect(false)
            .await
            .map_err(|fatal| failed(&describe(&fatal)))?;
    } else if home.joins() {
        return check_way(config, 1);
    } else {
        let members = BTreeMap::from([(me, config.member.place())]);
        raft.initialize(members).await.map_err(|error| failed(&error))?;
    }
    raft.wait(Some(START_TIMEOUT))
        .state(ServerState::Leader, "the only voter leads")
        .await
        .map_err(|error| failed(&error))?;
    raft.ensure_linearizable(ReadPolicy::ReadIndex)
        .await
        .map_err(|error| failed(&error))?;
    home.set_ready()
}

/// A server among others needs a way to them.
fn check_way(config: &StoreConfig, servers: usize) -> Result<(), OpenError> {
    match config.transport {
        Some(_) => Ok(()),
        None => Err(OpenError::Several {
            dir: config.dir.clone(),
            servers,
        }),
    }
}

/// Tells the others of this server's name and address where they know it by another; until it is done, or the store is
/// gone.
async fn announce(inner: Weak<Inner>) {
    loop {
        let Some(inner) = inner.upgrade() else { return };
        let (mut view, member) = (inner.view.clone(), inner.config.member.clone());
        let known = view.borrow_and_update().member(member.id).cloned();
        let differs = known.is_some_and(|known| known != member);
        if differs && let Err(error) = inner.manage(Manage::Update(member), ANNOUNCE_LIMIT).await {
            tracing::debug!(%error, "the others do not know this server's address yet");
        }
        drop(inner);
        let changed = view.changed();
        let changed = if differs {
            timeout(ANNOUNCE_PAUSE, changed).await
        } else {
            Ok(changed.await)
        };
        if matches!(changed, Ok(Err(_))) {
            return;
        }
    }
}
