//! Entries that went to the log by way of another server, and those who wait here for what comes of them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use skep_state::{Entry, Outcome, State};
use tokio::sync::oneshot;

/// Who waits for which request, until this server's own state has it.
#[derive(Debug, Default)]
pub(crate) struct Awaited {
    by_request: Mutex<HashMap<String, Listeners>>,
}

/// Who waits for the same request.
#[derive(Debug, Default)]
pub(crate) struct Listeners(Vec<oneshot::Sender<Vec<Outcome>>>);

/// A wait for one request. Dropping it gives up.
#[derive(Debug)]
pub(crate) struct Wait {
    awaited: Arc<Awaited>,
    request_id: String,
    outcomes: oneshot::Receiver<Vec<Outcome>>,
}

impl Awaited {
    /// Waits for a request from now on: begin before it is sent.
    pub(crate) fn wait_for(self: &Arc<Self>, request_id: &str) -> Wait {
        let (sender, outcomes) = oneshot::channel();
        self.lock()
            .entry(request_id.to_owned())
            .or_default()
            .0
            .push(sender);
        Wait {
            awaited: self.clone(),
            request_id: request_id.to_owned(),
            outcomes,
        }
    }

    /// Those who wait for some of these entries, by their places: to be told once readers see what the entries changed.
    pub(crate) fn among(&self, entries: &[Entry]) -> Vec<(usize, Listeners)> {
        let mut by_request = self.lock();
        if by_request.is_empty() {
            return Vec::new();
        }
        let waits = |(place, entry): (usize, &Entry)| Some((place, by_request.remove(&entry.request_id)?));
        entries.iter().enumerate().filter_map(waits).collect()
    }

    /// Tells those who wait for something that is in a state that has replaced the whole of this server's.
    pub(crate) fn replaced(&self, state: &State) {
        self.lock()
            .retain(|request_id, waiting| match state.answered(request_id) {
                Some(outcomes) => {
                    std::mem::take(waiting).tell(outcomes);
                    false
                }
                None => true,
            });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Listeners>> {
        self.by_request.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listeners {
    /// Tells them what came of their request.
    pub(crate) fn tell(self, outcomes: &[Outcome]) {
        for waiting in self.0 {
            // Nobody may be waiting any more.
            waiting.send(outcomes.to_vec()).ok();
        }
    }
}

impl Wait {
    /// What came of the request; `None` where the store has stopped.
    pub(crate) async fn outcomes(&mut self) -> Option<Vec<Outcome>> {
        (&mut self.outcomes).await.ok()
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        self.outcomes.close();
        let mut by_request = self.awaited.lock();
        if let Some(waiting) = by_request.get_mut(&self.request_id) {
            waiting.0.retain(|sender| !sender.is_closed());
            if waiting.0.is_empty() {
                by_request.remove(&self.request_id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use skep_api::Time;

    use super::*;

    fn entry(request_id: &str) -> Entry {
        Entry {
            request_id: request_id.to_owned(),
            now: Time::default(),
            changes: Vec::new(),
        }
    }

    #[tokio::test]
    async fn everyone_who_waits_for_a_request_is_told() {
        let awaited = Arc::new(Awaited::default());
        let [mut one, mut other, gone] = [(); 3].map(|()| awaited.wait_for("a"));
        drop(gone);
        let among = awaited.among(&[entry("b"), entry("a")]);
        assert_eq!(among.len(), 1);
        for (place, listeners) in among {
            assert_eq!(place, 1);
            listeners.tell(&[]);
        }
        assert_eq!(
            (one.outcomes().await, other.outcomes().await),
            (Some(vec![]), Some(vec![]))
        );
        drop((one, other));
        assert!(awaited.lock().is_empty());
    }

    #[tokio::test]
    async fn a_state_from_elsewhere_may_hold_the_answer() {
        let awaited = Arc::new(Awaited::default());
        let (mut known, unknown) = (awaited.wait_for("a"), awaited.wait_for("b"));
        let mut state = State::default();
        state.apply(&entry("a"));
        awaited.replaced(&state);
        assert_eq!(known.outcomes().await, Some(vec![]));
        assert_eq!(awaited.lock().len(), 1);
        drop(unknown);
        assert!(awaited.lock().is_empty(), "who gave up is forgotten");
    }
}
