//! The state that the log drives.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use futures::{Stream, TryStreamExt};
use openraft::{
    EntryPayload, OptionalSend, RaftSnapshotBuilder, Snapshot,
    entry::RaftEntry,
    storage::{EntryResponder, RaftStateMachine},
    type_config::alias::SnapshotOf,
};
use skep_state::{Outcome, State};
use tokio::sync::watch;

use crate::{
    awaited::Awaited,
    blocking::{aside, blocking},
    home::Home,
    numbers::Numbers,
    raft::{Command, LogId, Membership, SnapshotMeta, Types},
    snapshot::{Head, SnapshotFile, Snapshots},
};

/// The state as readers see it.
#[derive(Debug)]
pub(crate) struct Shared {
    state: RwLock<Arc<State>>,
    revision: watch::Sender<u64>,
    /// The numbers that servers have had.
    numbers: Mutex<Numbers>,
    awaited: Arc<Awaited>,
}

impl Shared {
    /// `sender` is what this store calls itself where it sends proposals to others.
    pub(crate) fn new(state: State, numbers: Numbers, sender: u64) -> Self {
        let revision = watch::Sender::new(state.revision());
        Self {
            state: RwLock::new(Arc::new(state)),
            revision,
            numbers: Mutex::new(numbers),
            awaited: Arc::new(Awaited::new(sender)),
        }
    }

    /// The numbers that servers have had, as of the last entry that was applied.
    pub(crate) fn numbers(&self) -> Numbers {
        self.with_numbers(|numbers| numbers.clone())
    }

    fn with_numbers<T>(&self, work: impl FnOnce(&mut Numbers) -> T) -> T {
        work(&mut self.numbers.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn state(&self) -> State {
        State::clone(&self.view())
    }

    /// The state, shared with all who look at it: nothing is copied at all.
    pub(crate) fn view(&self) -> Arc<State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Who waits for what other servers were asked to log.
    pub(crate) fn awaited(&self) -> &Arc<Awaited> {
        &self.awaited
    }

    pub(crate) fn revisions(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    fn replace(&self, state: State) {
        let revision = state.revision();
        let before = {
            let mut present = self.state.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *present, Arc::new(state))
        };
        // What nobody holds any more is freed while nobody waits.
        drop(before);
        self.revision
            .send_if_modified(|seen| std::mem::replace(seen, revision) != revision);
    }
}

/// Applies entries, one after the other; the only writer of [`Shared`].
pub(crate) struct Machine {
    home: Arc<Home>,
    shared: Arc<Shared>,
    snapshots: Arc<Snapshots>,
    applied: Option<LogId>,
    membership: Membership,
}

impl Machine {
    /// `meta` says what `shared` already has.
    pub(crate) fn new(
        home: Arc<Home>,
        shared: Arc<Shared>,
        snapshots: Arc<Snapshots>,
        meta: SnapshotMeta,
    ) -> Self {
        Self {
            home,
            shared,
            snapshots,
            applied: meta.last_log_id,
            membership: meta.last_membership,
        }
    }

    fn note_membership(&mut self, membership: Membership) {
        let ids = membership.nodes().map(|(id, _)| *id);
        self.shared.with_numbers(|numbers| numbers.note(ids));
        self.membership = membership;
    }

    /// Applies entries to a copy, which readers get once all of them are in it.
    fn apply_command(&self, command: &Command) -> io::Result<Vec<Vec<Outcome>>> {
        let entries = command
            .take_entries()
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        let mut state = self.shared.state();
        let awaited = self.shared.awaited.among(&entries);
        let outcomes: Vec<_> = entries
            .into_iter()
            .map(|entry| state.apply_owned(entry))
            .collect();
        self.shared.replace(state);
        for (place, waiting) in awaited {
            // Nobody may be waiting any more.
            waiting.send(outcomes[place].clone()).ok();
        }
        Ok(outcomes)
    }
}

impl RaftStateMachine<Types> for Machine {
    type SnapshotData = SnapshotFile;
    type SnapshotBuilder = Builder;

    async fn applied_state(&mut self) -> io::Result<(Option<LogId>, Membership)> {
        Ok((self.applied, self.membership.clone()))
    }

    async fn apply<S>(&mut self, mut entries: S) -> io::Result<()>
    where
        S: Stream<Item = io::Result<EntryResponder<Types>>> + Unpin + OptionalSend,
    {
        while let Some((entry, responder)) = entries.try_next().await? {
            let id = entry.log_id();
            let outcomes = match entry.payload {
                EntryPayload::Blank => Vec::new(),
                EntryPayload::Normal(command) => self.apply_command(&command)?,
                EntryPayload::Membership(membership) => {
                    self.note_membership(Membership::new(Some(id), membership));
                    Vec::new()
                }
            };
            self.applied = Some(id);
            if let Some(responder) = responder {
                responder.send(outcomes);
            }
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Builder {
        let origin = self.home.origin();
        let head = Head {
            meta: SnapshotMeta {
                last_log_id: self.applied,
                last_membership: self.membership.clone(),
            },
            cluster_id: origin.map_or_else(String::new, |origin| origin.cluster_id.clone()),
            numbers: self.shared.numbers(),
        };
        Builder {
            snapshots: self.snapshots.clone(),
            state: self.shared.state(),
            head,
        }
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMeta, received: SnapshotFile) -> io::Result<()> {
        let snapshots = self.snapshots.clone();
        let (head, state) = blocking(move || snapshots.install(received)).await??;
        self.shared.replace(state.clone());
        self.shared.awaited.replaced(&state);
        self.shared.with_numbers(|numbers| numbers.merge(&head.numbers));
        self.applied = meta.last_log_id;
        self.note_membership(meta.last_membership.clone());
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> io::Result<Option<SnapshotOf<Types, SnapshotFile>>> {
        Ok(self.snapshots.newest().map(|(meta, info)| {
            let snapshot = SnapshotFile::at(info.path);
            Snapshot { meta, snapshot }
        }))
    }
}

/// Writes a snapshot of the state as it was when the builder was made.
pub(crate) struct Builder {
    snapshots: Arc<Snapshots>,
    state: State,
    head: Head,
}

impl RaftSnapshotBuilder<Types> for Builder {
    type SnapshotData = SnapshotFile;

    /// An error here would stop the store, and a full disk is no reason for that: where no snapshot can be written, the
    /// newest one there is stands in, which tells consensus that nothing is new.
    async fn build_snapshot(&mut self) -> io::Result<SnapshotOf<Types, SnapshotFile>> {
        let (snapshots, state, head) = (self.snapshots.clone(), self.state.clone(), self.head.clone());
        let taken = aside(move || snapshots.take(&head, &state)).await?;
        let (meta, path) = match (taken, self.snapshots.newest()) {
            (Ok(info), _) => (self.head.meta.clone(), info.path),
            (Err(_), Some((meta, info))) => (meta, info.path),
            (Err(_), None) => Default::default(),
        };
        Ok(Snapshot {
            meta,
            snapshot: SnapshotFile::at(path),
        })
    }
}
