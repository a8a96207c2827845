//! Entries that went to the log by way of another server, and those who wait here for what comes of them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use skep_state::{Entry, Outcome, State};
use tokio::sync::oneshot;

/// Which of this store's proposals are waited for, until its own state has them.
#[derive(Debug)]
pub(crate) struct Awaited {
    /// The number of this store as a sender.
    by: u64,
    by_number: Mutex<HashMap<u64, Listener>>,
}

/// Who waits for a proposal.
pub(crate) type Listener = oneshot::Sender<Vec<Outcome>>;

/// A wait for one proposal. Dropping it gives up.
#[derive(Debug)]
pub(crate) struct Wait {
    awaited: Arc<Awaited>,
    number: u64,
    outcomes: oneshot::Receiver<Vec<Outcome>>,
}

impl Awaited {
    pub(crate) fn new(by: u64) -> Self {
        Self {
            by,
            by_number: Mutex::default(),
        }
    }

    /// Waits for a proposal from now on: begin before it is sent.
    pub(crate) fn wait_for(self: &Arc<Self>, number: u64) -> Wait {
        let (sender, outcomes) = oneshot::channel();
        self.lock().insert(number, sender);
        Wait {
            awaited: self.clone(),
            number,
            outcomes,
        }
    }

    /// Those who wait for some of these entries, by their places: to be told once readers see what the entries changed.
    pub(crate) fn among(&self, entries: &[Entry]) -> Vec<(usize, Listener)> {
        let mut by_number = self.lock();
        if by_number.is_empty() {
            return Vec::new();
        }
        let waits = |(place, entry): (usize, &Entry)| {
            let sent = entry.sent.filter(|sent| sent.by == self.by)?;
            Some((place, by_number.remove(&sent.number)?))
        };
        entries.iter().enumerate().filter_map(waits).collect()
    }

    /// Tells those who wait for something that is in a state that has replaced the whole of this server's.
    pub(crate) fn replaced(&self, state: &State) {
        let answered = |number: &u64| state.answered_to(self.by, *number);
        for (number, waiting) in self.lock().extract_if(|number, _| answered(number).is_some()) {
            // Nobody may be waiting any more.
            waiting.send(answered(&number).unwrap_or_default().to_vec()).ok();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Listener>> {
        self.by_number.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wait {
    /// What came of the proposal; `None` where the store has stopped.
    pub(crate) async fn outcomes(&mut self) -> Option<Vec<Outcome>> {
        (&mut self.outcomes).await.ok()
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        self.outcomes.close();
        let mut by_number = self.awaited.lock();
        // The next try may wait for it by now.
        if by_number
            .get(&self.number)
            .is_some_and(oneshot::Sender::is_closed)
        {
            by_number.remove(&self.number);
        }
    }
}

#[cfg(test)]
mod tests {
    use skep_api::Time;
    use skep_state::Sent;

    use super::*;

    fn entry(by: u64, number: u64) -> Entry {
        Entry {
            request_id: String::new(),
            sent: Some(Sent {
                by,
                number,
                settled: 0,
            }),
            now: Time::default(),
            changes: Vec::new(),
        }
    }

    #[tokio::test]
    async fn who_waits_for_a_proposal_of_this_store_is_told() {
        let awaited = Arc::new(Awaited::new(7));
        let (mut one, gone) = (awaited.wait_for(1), awaited.wait_for(2));
        drop(gone);
        let among = awaited.among(&[entry(8, 1), entry(7, 2), entry(7, 1)]);
        assert_eq!(among.len(), 1, "not for another one's of the same number");
        for (place, listener) in among {
            assert_eq!(place, 2);
            listener.send(vec![]).unwrap();
        }
        assert_eq!(one.outcomes().await, Some(vec![]));
        assert!(awaited.lock().is_empty());
    }

    #[tokio::test]
    async fn a_second_try_waits_on_when_the_first_gives_up() {
        let awaited = Arc::new(Awaited::new(7));
        let first = awaited.wait_for(1);
        let _second = awaited.wait_for(1);
        drop(first);
        assert_eq!(awaited.among(&[entry(7, 1)]).len(), 1);
    }

    #[tokio::test]
    async fn a_state_from_elsewhere_may_hold_the_answer() {
        let awaited = Arc::new(Awaited::new(7));
        let (mut known, unknown) = (awaited.wait_for(1), awaited.wait_for(2));
        let mut state = State::default();
        state.apply(&entry(7, 1));
        awaited.replaced(&state);
        assert_eq!(known.outcomes().await, Some(vec![]));
        assert_eq!(awaited.lock().len(), 1);
        drop(unknown);
        assert!(awaited.lock().is_empty(), "who gave up is forgotten");
    }
}
