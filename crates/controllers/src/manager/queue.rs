//! Which keys are to be reconciled, now or later; times are on a clock that never jumps.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use skep_api::ObjectKey;

const RETRY_FIRST: Duration = Duration::from_millis(5);
const RETRY_LAST: Duration = Duration::from_secs(30);

/// A key of one controller.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Work {
    /// Its place in the list of controllers.
    pub controller: usize,
    /// What is to be reconciled.
    pub key: ObjectKey,
}

/// Each key is in here once, however often it was woken.
#[derive(Default)]
pub(super) struct Queue {
    ready: BTreeSet<Work>,
    timers: Times,
    /// Until when keys rest that were looked at lately.
    rests: Times,
    /// How often in a row a key's changes were refused.
    failures: HashMap<Work, u32>,
}

/// One time for each key.
#[derive(Default)]
struct Times {
    order: BTreeSet<(Duration, Work)>,
    of: HashMap<Work, Duration>,
}

impl Queue {
    /// To be reconciled at once.
    pub(super) fn wake(&mut self, work: Work) {
        self.ready.insert(work);
    }

    /// To be reconciled at `at`, whatever was set before.
    pub(super) fn wake_at(&mut self, work: Work, at: Duration) {
        self.timers.set(work, at);
    }

    /// It was looked at: what may wait does so until `until`.
    pub(super) fn rest(&mut self, work: Work, until: Duration) {
        self.rests.set(work, until);
    }

    /// To be reconciled once it has rested.
    pub(super) fn wake_rested(&mut self, work: Work, now: Duration) {
        let Some(until) = self.rests.get(&work).filter(|until| *until > now) else {
            return self.wake(work);
        };
        let is_earlier = self.timers.get(&work).is_some_and(|at| at <= until);
        if !is_earlier && !self.ready.contains(&work) {
            self.wake_at(work, until);
        }
    }

    /// What is due, at most `max` keys; their timers are forgotten.
    pub(super) fn take(&mut self, now: Duration, max: usize) -> Vec<Work> {
        while let Some(work) = self.timers.pop_due(now) {
            self.ready.insert(work);
        }
        while self.rests.pop_due(now).is_some() {}
        let taken: Vec<Work> = std::iter::from_fn(|| self.ready.pop_first()).take(max).collect();
        for work in &taken {
            self.timers.forget(work);
            self.rests.forget(work);
        }
        taken
    }

    /// True where something can be taken without waiting.
    pub(super) fn is_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// How many can be taken without waiting.
    pub(super) fn len(&self) -> usize {
        self.ready.len()
    }

    /// When the next timer is due.
    pub(super) fn next_timer(&self) -> Option<Duration> {
        self.timers.first()
    }

    /// Its changes were accepted.
    pub(super) fn succeeded(&mut self, work: &Work) {
        self.failures.remove(work);
    }

    /// Its changes were refused: it is looked at again after a pause that doubles each time.
    pub(super) fn failed(&mut self, work: Work, now: Duration) {
        let failures = self.failures.entry(work.clone()).or_default();
        let pause = RETRY_FIRST
            .saturating_mul(1 << (*failures).min(20))
            .min(RETRY_LAST);
        *failures += 1;
        let at = self
            .timers
            .get(&work)
            .map_or(now + pause, |at| (now + pause).min(at));
        self.wake_at(work, at);
    }
}

impl Times {
    fn get(&self, work: &Work) -> Option<Duration> {
        self.of.get(work).copied()
    }

    fn first(&self) -> Option<Duration> {
        self.order.first().map(|(at, _)| *at)
    }

    fn set(&mut self, work: Work, at: Duration) {
        self.forget(&work);
        self.of.insert(work.clone(), at);
        self.order.insert((at, work));
    }

    fn forget(&mut self, work: &Work) {
        if let Some(at) = self.of.remove(work) {
            self.order.remove(&(at, work.clone()));
        }
    }

    fn pop_due(&mut self, now: Duration) -> Option<Work> {
        self.first().filter(|at| *at <= now)?;
        let (_, work) = self.order.pop_first()?;
        self.of.remove(&work);
        Some(work)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(name: &str) -> Work {
        Work {
            controller: 0,
            key: ObjectKey::cluster(name),
        }
    }

    #[test]
    fn a_key_woken_twice_is_taken_once() {
        let (mut queue, now) = (Queue::default(), Duration::from_secs(100));
        queue.wake(work("a"));
        queue.wake(work("a"));
        assert_eq!(queue.take(now, 10), [work("a")]);
        assert!(queue.take(now, 10).is_empty());
    }

    #[test]
    fn a_timer_is_due_when_its_time_has_come_and_not_before() {
        let (mut queue, now) = (Queue::default(), Duration::from_secs(100));
        queue.wake_at(work("a"), now + Duration::from_secs(9));
        queue.wake_at(work("a"), now + Duration::from_secs(5));
        assert!(queue.take(now, 10).is_empty());
        assert_eq!(queue.next_timer(), Some(now + Duration::from_secs(5)));
        assert_eq!(queue.take(now + Duration::from_secs(5), 10), [work("a")]);
        assert_eq!(queue.next_timer(), None);
    }

    #[test]
    fn what_may_wait_waits_until_the_key_has_rested_and_what_may_not_does_not() {
        let (mut queue, now) = (Queue::default(), Duration::from_secs(100));
        let rested = now + Duration::from_millis(200);
        queue.rest(work("a"), rested);
        queue.wake_rested(work("a"), now);
        queue.wake_rested(work("b"), now);
        assert_eq!(queue.take(now, 10), [work("b")]);
        assert_eq!(queue.next_timer(), Some(rested));
        assert_eq!(queue.take(rested, 10), [work("a")]);
        queue.rest(work("a"), rested);
        queue.wake_rested(work("a"), now);
        queue.wake(work("a"));
        assert_eq!(queue.take(now, 10), [work("a")]);
        assert_eq!(queue.next_timer(), None, "once is enough");
        queue.wake_rested(work("a"), now);
        assert_eq!(queue.take(now, 10), [work("a")], "it rests no more");
    }

    #[test]
    fn a_timer_that_is_due_before_the_rest_ends_stays() {
        let (mut queue, now) = (Queue::default(), Duration::from_secs(100));
        queue.rest(work("a"), now + Duration::from_millis(200));
        queue.wake_at(work("a"), now + Duration::from_millis(50));
        queue.wake_rested(work("a"), now);
        assert_eq!(queue.next_timer(), Some(now + Duration::from_millis(50)));
    }

    #[test]
    fn refusals_in_a_row_make_the_pause_longer_up_to_a_limit() {
        let (mut queue, now) = (Queue::default(), Duration::from_secs(100));
        let mut pauses = Vec::new();
        for _ in 0..20 {
            queue.failed(work("a"), now);
            let at = queue.next_timer().unwrap();
            pauses.push(at - now);
            assert_eq!(queue.take(at, 1), [work("a")]);
        }
        assert_eq!(pauses[..3], [5, 10, 20].map(Duration::from_millis));
        assert_eq!(pauses[19], RETRY_LAST);
        queue.succeeded(&work("a"));
        queue.failed(work("a"), now);
        assert_eq!(queue.next_timer(), Some(now + RETRY_FIRST));
    }
}
