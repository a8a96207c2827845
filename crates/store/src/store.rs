//! The door to the replicated state.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering::Relaxed},
    time::Duration,
};

use openraft::{
    BasicNode, ReadPolicy, ServerState,
    async_runtime::watch::WatchReceiver as _,
    errors::{ClientWriteError, Fatal, LinearizableReadError, RaftError},
};
use skep_state::{Compacted, Entry, Outcome, State};
use tokio::{sync::watch, task::JoinSet};

use crate::{
    OpenError, ProposeError, ReadError, SnapshotError, SnapshotInfo, StoreConfig, Watch,
    folder::{Folder, Identity},
    leadership::{Leadership, describe},
    log::Log,
    machine::{Machine, Shared},
    network::NoNetwork,
    raft::{Command, Raft, SnapshotMeta, Types},
    snapshot::Snapshots,
    space,
    upkeep::Upkeep,
};

const HEARTBEAT_MS: u64 = 500;
const ELECTION_MS: std::ops::Range<u64> = 1500..3000;
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(100);
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// The replicated state, kept durable in a folder. Clones are handles to the same store.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    config: StoreConfig,
    identity: Identity,
    raft: Raft,
    log: Log,
    shared: Arc<Shared>,
    snapshots: Arc<Snapshots>,
    leads: watch::Receiver<bool>,
    failure: watch::Receiver<Option<String>>,
    /// Emptied by shutdown: the tasks, and the folder's lock.
    held: Mutex<Option<(JoinSet<()>, Folder)>>,
}

/// What a folder holds, before consensus starts.
struct Opened {
    folder: Folder,
    log: Log,
    snapshots: Snapshots,
    meta: SnapshotMeta,
    state: State,
}

impl Store {
    /// Opens a folder; an empty one becomes a cluster of this one server. Returns once this server leads and has
    /// applied all that its log holds.
    ///
    /// # Errors
    /// Says which file is at fault and what to do; nothing that was acknowledged is ever given up silently.
    pub async fn open(config: StoreConfig) -> Result<Self, OpenError> {
        let opened = {
            let config = config.clone();
            tokio::task::spawn_blocking(move || open_folder(&config))
                .await
                .map_err(|error| OpenError::Start(error.to_string()))??
        };
        let Opened {
            mut folder,
            log,
            snapshots,
            meta,
            state,
        } = opened;
        let (shared, snapshots) = (Arc::new(Shared::new(state)), Arc::new(snapshots));
        let machine = Machine::new(shared.clone(), snapshots.clone(), meta);
        let mut tasks = JoinSet::new();
        tasks.spawn(log.clone().flush_appends());
        let raft = Raft::new(config.server_id, raft_config(), NoNetwork, log.clone(), machine)
            .await
            .map_err(|fatal| OpenError::Start(describe(&fatal)))?;
        start(&raft, config.server_id).await?;
        if !folder.identity.ready {
            folder.set_ready()?;
        }
        let (leads, failure) = spawn_duties(&mut tasks, &config, &raft, &log, &snapshots);
        let identity = folder.identity.clone();
        let held = Mutex::new(Some((tasks, folder)));
        let inner = Inner {
            config,
            identity,
            raft,
            log,
            shared,
            snapshots,
            leads,
            failure,
            held,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Proposes an entry; one outcome for each of its changes, once they are durable and applied. Proposals that are
    /// made at the same time share their way to the disk.
    ///
    /// # Errors
    /// See [`ProposeError`]; [`ProposeError::is_retryable`] says whether to try again.
    pub async fn propose(&self, entry: Entry) -> Result<Vec<Outcome>, ProposeError> {
        let json = serde_json::to_vec(&entry).expect("entries hold nothing that JSON cannot hold");
        self.check_room(json.len())?;
        let response = self.inner.raft.client_write(Command::new(entry, json)).await;
        response
            .map(|response| response.data)
            .map_err(|error| self.propose_error(error))
    }

    /// The state with at least everything that was acknowledged before this call, by any server.
    ///
    /// # Errors
    /// Where this server does not lead or cannot be sure that it does.
    pub async fn read(&self) -> Result<State, ReadError> {
        match self.inner.raft.ensure_linearizable(ReadPolicy::ReadIndex).await {
            Ok(_) => Ok(self.state()),
            Err(RaftError::APIError(LinearizableReadError::ForwardToLeader(forward))) => {
                Err(ReadError::NotLeader {
                    leader: forward.leader_id,
                })
            }
            Err(RaftError::APIError(LinearizableReadError::QuorumNotEnough(_))) => Err(ReadError::NoQuorum),
            Err(RaftError::Fatal(fatal)) => Err(self
                .why_stopped(&fatal)
                .map_or(ReadError::Stopped, ReadError::Storage)),
        }
    }

    /// This server's own state, which may lag behind the leader's. Costs next to nothing.
    pub fn state(&self) -> State {
        self.inner.shared.state()
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

    /// The cluster's id: made with the cluster, never changed.
    pub fn cluster_id(&self) -> &str {
        &self.inner.identity.cluster_id
    }

    /// This server's number in the cluster.
    pub fn server_id(&self) -> u64 {
        self.inner.config.server_id
    }

    /// The server that leads, as far as this one knows.
    pub fn leader(&self) -> Option<u64> {
        self.inner.raft.server_metrics().borrow_watched().current_leader
    }

    /// Whether this server leads.
    pub fn leadership(&self) -> watch::Receiver<bool> {
        self.inner.leads.clone()
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
                () = self.stopped() => return Err(SnapshotError::Stopped),
                // Consensus drops a request that comes while it still ends an earlier attempt.
                () = tokio::time::sleep(ASK_AGAIN_AFTER) => continue,
            }
            // An attempt that began earlier may have ended: the next one covers what is wanted.
            if let Some(Err(error)) = attempts.borrow_and_update().result.clone() {
                return Err(error);
            }
        }
    }

    /// Stops: what was proposed is answered, everything is written, the folder is free for others. Other handles get
    /// [`ProposeError::Stopped`] from then on.
    pub async fn shutdown(self) {
        self.inner.raft.shutdown().await.ok();
        let held = self
            .inner
            .held
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let (log, snapshots) = (self.inner.log.clone(), self.inner.snapshots.clone());
        let closing = tokio::task::spawn_blocking(move || {
            log.close();
            snapshots.settle();
        });
        closing.await.ok();
        if let Some((mut tasks, folder)) = held {
            tasks.shutdown().await;
            drop(folder);
        }
    }

    /// Waits until the store has stopped, by itself or because it was told to.
    async fn stopped(&self) {
        let mut leads = self.inner.leads.clone();
        while leads.changed().await.is_ok() {}
    }

    fn check_room(&self, bytes: usize) -> Result<(), ProposeError> {
        let config = &self.inner.config;
        if bytes > config.entry_bytes_max {
            return Err(ProposeError::TooLarge {
                bytes,
                max: config.entry_bytes_max,
            });
        }
        let needed = config.free_bytes_min;
        match space::free_bytes(&config.dir) {
            Some(free) if needed > 0 && free < needed + bytes as u64 => {
                Err(ProposeError::NoSpace { free, needed })
            }
            _ => Ok(()),
        }
    }

    fn propose_error(&self, error: RaftError<Types, ClientWriteError<Types>>) -> ProposeError {
        match error {
            RaftError::APIError(ClientWriteError::ForwardToLeader(forward)) => ProposeError::NotLeader {
                leader: forward.leader_id,
            },
            RaftError::APIError(_) => ProposeError::Uncertain,
            RaftError::Fatal(fatal) => self
                .why_stopped(&fatal)
                .map_or(ProposeError::Stopped, ProposeError::Storage),
        }
    }

    fn why_stopped(&self, fatal: &Fatal<Types>) -> Option<String> {
        match fatal {
            Fatal::Stopped => self.inner.failure.borrow().clone(),
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

/// Starts what goes on beside consensus; whether this server leads, and why the store failed.
fn spawn_duties(
    tasks: &mut JoinSet<()>,
    config: &StoreConfig,
    raft: &Raft,
    log: &Log,
    snapshots: &Arc<Snapshots>,
) -> (watch::Receiver<bool>, watch::Receiver<Option<String>>) {
    let (leads, leads_receiver) = watch::channel(true);
    let (failure, failure_receiver) = watch::channel(None);
    tasks.spawn(Leadership { leads, failure }.follow(raft.clone()));
    let upkeep = Upkeep {
        raft: raft.clone(),
        log: log.clone(),
        snapshots: snapshots.clone(),
        entries_max: config.snapshot_entries,
        bytes_max: config.snapshot_bytes,
    };
    tasks.spawn(upkeep.run());
    (leads_receiver, failure_receiver)
}

fn open_folder(config: &StoreConfig) -> Result<Opened, OpenError> {
    let folder = Folder::open(config)?;
    let (snapshots, loaded) = Snapshots::open(folder.snapshot_dir(), config.free_bytes_min / 2)?;
    let (meta, state) = loaded.unwrap_or_default();
    let log_dir = folder.log_dir();
    let log = Log::open(&log_dir).map_err(|error| OpenError::Log {
        path: log_dir,
        why: error.to_string(),
    })?;
    check_joint(&folder.dir, &log, &meta)?;
    let logged = log.last().map_or(0, |id| id.index + 1);
    let covered = meta.last_log_id.map_or(0, |id| id.index + 1);
    log.growth()
        .entries
        .store(logged.saturating_sub(covered), Relaxed);
    log.growth()
        .bytes
        .store(if covered == 0 { log.bytes_on_disk() } else { 0 }, Relaxed);
    Ok(Opened {
        folder,
        log,
        snapshots,
        meta,
        state,
    })
}

/// Snapshot and log must touch.
fn check_joint(dir: &Path, log: &Log, meta: &SnapshotMeta) -> Result<(), OpenError> {
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

fn raft_config() -> Arc<openraft::Config> {
    let config = openraft::Config {
        cluster_name: "skep".to_owned(),
        heartbeat_interval: HEARTBEAT_MS,
        election_timeout_min: ELECTION_MS.start,
        election_timeout_max: ELECTION_MS.end,
        // Upkeep decides when to take snapshots and what to drop from the log.
        snapshot_policy: openraft::SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: u64::MAX,
        enable_pre_vote: Some(true),
        // A restart is an election: its first entry commits all that the log holds.
        enable_leader_restore: Some(false),
        ..openraft::Config::default()
    };
    Arc::new(config.validate().expect("the intervals are in order"))
}

/// Brings the first server up, or a restarted one back to lead; returns once all of its log is applied.
async fn start(raft: &Raft, server_id: u64) -> Result<(), OpenError> {
    let failed = |error: &dyn std::fmt::Display| OpenError::Start(error.to_string());
    if raft
        .is_initialized()
        .await
        .map_err(|fatal| failed(&describe(&fatal)))?
    {
        raft.trigger()
            .elect(false)
            .await
            .map_err(|fatal| failed(&describe(&fatal)))?;
    } else {
        let members = BTreeMap::from([(server_id, BasicNode::default())]);
        raft.initialize(members).await.map_err(|error| failed(&error))?;
    }
    raft.wait(Some(START_TIMEOUT))
        .state(ServerState::Leader, "the only server leads")
        .await
        .map_err(|error| failed(&error))?;
    raft.ensure_linearizable(ReadPolicy::ReadIndex)
        .await
        .map_err(|error| failed(&error))?;
    Ok(())
}
