//! What this store sends to other servers more than once: numbered, so that it is carried out once.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use skep_state::{SENT_MAX, Sent};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// This store as a sender.
#[derive(Debug)]
pub(crate) struct Sending {
    by: u64,
    numbers: Mutex<Numbers>,
    room: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct Numbers {
    next: u64,
    waited_for: BTreeSet<u64>,
}

/// A proposal that somebody waits for, with its number. Dropping it gives up.
#[derive(Debug)]
pub(crate) struct Ticket {
    sending: Arc<Sending>,
    number: u64,
    _room: OwnedSemaphorePermit,
}

impl Sending {
    /// Unlike any other store, and this one before it was opened.
    pub(crate) fn new() -> Self {
        Self {
            by: uuid::Uuid::new_v4().as_u64_pair().0,
            numbers: Mutex::default(),
            room: Arc::new(Semaphore::new(SENT_MAX / 2)),
        }
    }

    /// What this store calls itself.
    pub(crate) fn by(&self) -> u64 {
        self.by
    }

    /// The next number, once few enough are waited for.
    pub(crate) async fn ticket(self: &Arc<Self>) -> Ticket {
        let room = self.room.clone().acquire_owned().await;
        let room = room.expect("it is never closed");
        let mut numbers = self.lock();
        let number = numbers.next;
        numbers.next += 1;
        numbers.waited_for.insert(number);
        drop(numbers);
        Ticket {
            sending: self.clone(),
            number,
            _room: room,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Numbers> {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// What tells receivers which proposal it is, and which are waited for now.
    pub(crate) fn sent(&self) -> Sent {
        let first = self.sending.lock().waited_for.first().copied();
        Sent {
            by: self.sending.by,
            number: self.number,
            settled: first.unwrap_or(self.number),
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.sending.lock().waited_for.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_nobody_waits_for_any_more_is_settled() {
        let sending = Arc::new(Sending::new());
        let (first, second) = (sending.ticket().await, sending.ticket().await);
        assert_eq!((second.sent().number, second.sent().settled), (1, 0));
        drop(first);
        let third = sending.ticket().await;
        assert_eq!((third.sent().number, third.sent().settled), (2, 1));
        assert_ne!(sending.by(), Sending::new().by());
    }

    #[tokio::test]
    async fn so_many_are_waited_for_that_receivers_remember_them_all() {
        let sending = Arc::new(Sending::new());
        let mut tickets = Vec::new();
        for _ in 0..SENT_MAX / 2 {
            tickets.push(sending.ticket().await);
        }
        let next = tokio::spawn({
            let sending = sending.clone();
            async move { sending.ticket().await.number() }
        });
        tokio::task::yield_now().await;
        assert!(!next.is_finished(), "there is no room");
        tickets.pop();
        assert_eq!(next.await.unwrap(), SENT_MAX as u64 / 2);
    }
}
