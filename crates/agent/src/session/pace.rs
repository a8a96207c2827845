//! How soon another server is dialled: at once while there are some that were not tried, then ever later.

use std::time::Duration;

const WAIT_MIN: Duration = Duration::from_millis(50);
const WAIT_MAX: Duration = Duration::from_secs(10);

/// A session that stood for less does not count as one that went well.
const STOOD_MIN: Duration = Duration::from_secs(1);

/// After a session that was too short.
const WAIT_SHORT: Duration = Duration::from_secs(1);

/// Failures between two that are told of, once all servers have failed: some ten minutes.
const TOLD_EVERY: usize = 80;

/// How soon another server is dialled.
#[derive(Debug)]
pub(super) struct Pace {
    wait: Duration,
    failures: usize,
    targets: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            wait: WAIT_MIN,
            failures: 0,
            targets: 1,
        }
    }
}

impl Pace {
    /// A session has stood for so long; `None` where there was none.
    pub(super) fn stood(&mut self, duration: Option<Duration>) {
        match duration {
            Some(duration) if duration >= STOOD_MIN => *self = Self::default(),
            // It may be a server that ends each session at once.
            Some(_) => self.wait = self.wait.min(WAIT_SHORT),
            None => {}
        }
    }

    /// One of so many servers did not do: how long to wait before the next one is dialled.
    pub(super) fn failed(&mut self, targets: usize) -> Duration {
        self.targets = targets.max(1);
        self.failures = self.failures.saturating_add(1);
        if self.failures.is_multiple_of(self.targets) {
            self.wait = (self.wait * 2).min(WAIT_MAX);
        }
        if self.failures < self.targets {
            WAIT_MIN
        } else {
            self.wait
        }
    }

    /// True for the first failure of each server, and now and then after that: a node may be cut off for weeks.
    pub(super) fn is_worth_telling(&self) -> bool {
        self.failures <= self.targets || self.failures.is_multiple_of(TOLD_EVERY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(pace: &mut Pace, targets: usize, count: usize) -> Vec<u128> {
        (0..count).map(|_| pace.failed(targets).as_millis()).collect()
    }

    #[test]
    fn each_server_has_its_turn_before_the_wait_grows() {
        let mut pace = Pace::default();
        assert_eq!(waits(&mut pace, 3, 7), [50, 50, 100, 100, 100, 200, 200]);
        assert_eq!(waits(&mut pace, 3, 60).last(), Some(&10_000));
    }

    #[test]
    fn after_a_session_that_went_well_the_next_server_is_dialled_at_once() {
        let mut pace = Pace::default();
        waits(&mut pace, 3, 60);
        pace.stood(Some(Duration::from_secs(5)));
        assert_eq!(waits(&mut pace, 3, 2), [50, 50]);
    }

    #[test]
    fn a_server_that_ends_every_session_is_not_dialled_in_a_frenzy() {
        let mut pace = Pace::default();
        let mut last = 0;
        for _ in 0..20 {
            pace.stood(Some(Duration::ZERO));
            last = pace.failed(1).as_millis();
        }
        assert!(last >= 1000, "{last} ms");
    }

    #[test]
    fn a_long_absence_is_told_once_a_server_and_then_rarely() {
        let mut pace = Pace::default();
        let told = (0..1000).filter(|_| {
            pace.failed(3);
            pace.is_worth_telling()
        });
        assert_eq!(told.count(), 3 + 1000 / TOLD_EVERY);
    }
}
