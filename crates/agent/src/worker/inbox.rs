//! News for a pod's task. The newest of each kind replaces an older one, so it is bounded and nothing is lost.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use skep_api::Time;
use tokio::sync::Notify;

use crate::{
    pod::{Desired, Evicted, Note, Probed},
    probe::Listener,
    runtime::{Container, ContainerId},
    shared::Shared,
};

/// News for a pod's task.
pub(crate) struct Inbox {
    news: Mutex<News>,
    arrived: Notify,
    shared: Weak<Shared>,
    pod: Mutex<Arc<skep_api::Pod>>,
}

/// What has arrived since the last look.
#[derive(Default)]
pub(crate) struct News {
    /// What is wanted now.
    pub(crate) desired: Option<Desired>,
    /// All the pod's containers, and when the engine was asked for them.
    pub(crate) listed: Option<(Time, Vec<Container>)>,
    /// Containers that something happened to.
    pub(crate) touched: BTreeSet<ContainerId>,
    /// What probes have found.
    pub(crate) probed: BTreeMap<ContainerId, Probed>,
    /// Whether the engine is away.
    pub(crate) engine_away: Option<bool>,
    /// The pod is to go for what the node is short of.
    pub(crate) evicted: Option<Evicted>,
    /// What failed for lack of something may succeed now.
    pub(crate) retry: bool,
}

impl Inbox {
    pub(crate) fn new(shared: &Arc<Shared>, pod: Arc<skep_api::Pod>) -> Self {
        Self {
            news: Mutex::default(),
            arrived: Notify::new(),
            shared: Arc::downgrade(shared),
            pod: Mutex::new(pod),
        }
    }

    /// Something else is wanted.
    pub(crate) fn desire(&self, desired: Desired) {
        *self.pod.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&desired.pod);
        self.tell(|news| {
            news.desired = Some(desired);
            news.retry = true;
        });
    }

    /// The engine's list of the pod's containers as of `asked_at`.
    pub(crate) fn list(&self, asked_at: Time, containers: Vec<Container>) {
        self.tell(|news| news.listed = Some((asked_at, containers)));
    }

    /// Something happened to a container.
    pub(crate) fn touch(&self, id: ContainerId) {
        self.tell(|news| {
            news.touched.insert(id);
        });
    }

    /// The engine went away or came back.
    pub(crate) fn engine(&self, away: bool) {
        self.tell(|news| news.engine_away = Some(away));
    }

    /// What failed for lack of something may succeed now.
    pub(crate) fn retry(&self) {
        self.tell(|news| news.retry = true);
    }

    /// The pod is to go for what the node is short of.
    pub(crate) fn evict(&self, why: Evicted) {
        self.tell(|news| news.evicted = Some(why));
    }

    /// Waits for news.
    pub(super) async fn arrived(&self) {
        self.arrived.notified().await;
    }

    /// Takes the news out.
    pub(super) fn take(&self) -> News {
        std::mem::take(&mut self.lock())
    }

    fn tell(&self, change: impl FnOnce(&mut News)) {
        change(&mut self.lock());
        self.arrived.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, News> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listener for Inbox {
    fn probed(&self, id: &str, probed: &Probed) {
        self.tell(|news| {
            news.probed.insert(id.to_owned(), probed.clone());
        });
    }

    fn note(&self, note: Note) {
        if let Some(shared) = self.shared.upgrade() {
            let pod = Arc::clone(&self.pod.lock().unwrap_or_else(PoisonError::into_inner));
            shared.event(&pod, note);
        }
    }
}
