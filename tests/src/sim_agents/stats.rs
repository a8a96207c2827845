//! What has happened to all simulated agents together.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use tokio::sync::watch;

/// What has happened so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SimStats {
    /// Sessions that stand: welcomed, with their first assignments.
    pub sessions: usize,
    /// Sessions that ever stood.
    pub sessions_begun: u64,
    /// Messages to servers, hellos included.
    pub messages_up: u64,
    /// Messages from servers.
    pub messages_down: u64,
    /// Pods that agents have and that run, as reported.
    pub pods_running: usize,
    /// Pods that were ever reported as running.
    pub pods_started: u64,
    /// Pods that were ever reported as gone.
    pub pods_gone: u64,
}

/// Counts of all agents.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) sessions: AtomicUsize,
    pub(super) sessions_begun: AtomicU64,
    pub(super) messages_up: AtomicU64,
    pub(super) messages_down: AtomicU64,
    pub(super) pods_running: AtomicUsize,
    pub(super) pods_started: AtomicU64,
    pub(super) pods_gone: AtomicU64,
    last_failure: Mutex<String>,
    changed: watch::Sender<()>,
}

/// A session that stands; not any more once dropped.
pub(super) struct Standing<'a>(&'a Counters);

impl Counters {
    pub(super) fn stats(&self) -> SimStats {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        SimStats {
            sessions: self.sessions.load(Ordering::Relaxed),
            sessions_begun: count(&self.sessions_begun),
            messages_up: count(&self.messages_up),
            messages_down: count(&self.messages_down),
            pods_running: self.pods_running.load(Ordering::Relaxed),
            pods_started: count(&self.pods_started),
            pods_gone: count(&self.pods_gone),
        }
    }

    /// Changes whenever a session or a pod does.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    pub(super) fn tell(&self) {
        self.changed.send_replace(());
    }

    pub(super) fn stands(&self) -> Standing<'_> {
        self.sessions.fetch_add(1, Ordering::Relaxed);
        self.sessions_begun.fetch_add(1, Ordering::Relaxed);
        self.tell();
        Standing(self)
    }

    pub(super) fn failed(&self, why: String) {
        *self.last_failure.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }

    pub(super) fn last_failure(&self) -> String {
        self.last_failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Drop for Standing<'_> {
    fn drop(&mut self) {
        self.0.sessions.fetch_sub(1, Ordering::Relaxed);
        self.0.tell();
    }
}
