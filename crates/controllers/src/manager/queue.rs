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
    timers: BTreeSet<(Duration, Work)>,
    timer_of: HashMap<Work, Duration>,
    /// How often in a row a key's changes were refused.
    failures: HashMap<Work, u32>,
}

impl Queue {
    /// To be reconciled at once.
    pub(super) fn wake(&mut self, work: Work) {
        self.ready.insert(work);
    }

    /// To be reconciled at `at`, whatever was set before.
    pub(super) fn wake_at(&mut self, work: Work, at: Duration) {
        self.forget_timer(&work);
        self.timer_of.insert(work.clone(), at);
        self.timers.insert((at, work));
    }

    /// What is due, at most `max` keys; their timers are forgotten.
    pub(super) fn take(&mut self, now: Duration, max: usize) -> Vec<Work> {
        while let Some((_, work)) = self.timers.first().filter(|(at, _)| *at <= now).cloned() {
            self.forget_timer(&work);
            self.ready.insert(work);
        }
        let taken: Vec<Work> = std::iter::from_fn(|| self.ready.pop_first()).take(max).collect();
        for work in &taken {
            self.forget_timer(work);
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
        self.timers.first().map(|(at, _)| *at)
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
            .timer_of
            .get(&work)
            .map_or(now + pause, |at| (now + pause).min(*at));
        self.wake_at(work, at);
    }

    fn forget_timer(&mut self, work: &Work) {
        if let Some(at) = self.timer_of.remove(work) {
            self.timers.remove(&(at, work.clone()));
        }
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
