//! How long to wait before something is tried again.

use std::time::Duration;

use skep_api::Time;

use super::Work;

/// A run of this length forgives the crashes before it.
pub(super) const FORGIVEN_AFTER: Duration = Duration::from_secs(600);

/// How long a fresh failure is told as such before its back-off is told instead.
pub(super) const FRESH: Duration = Duration::from_secs(2);

const LONGEST: Duration = Duration::from_secs(300);

/// What lies further in the future than this happened before the clock was set back.
const SKEW_MAX: Duration = Duration::from_secs(1);

/// The end of a wait since something happened; now where the clock was set back meanwhile, so that nothing waits for hours.
pub(super) fn until(happened: Time, wait: Duration, now: Time) -> Time {
    if happened > now.plus(SKEW_MAX) {
        now
    } else {
        happened.plus(wait)
    }
}

/// Wait before the restart after `crashes` ends in a row: none, then 10 s doubling to 5 min.
pub(super) fn restart(crashes: u32) -> Duration {
    match crashes {
        0 | 1 => Duration::ZERO,
        more => doubled(Duration::from_secs(10), more - 2),
    }
}

/// Wait after `failures` of this work in a row: 1 s where it is the node's own, 10 s for images and containers, doubling to 5 min.
pub(super) fn retry(work: &Work, failures: u32) -> Duration {
    let first = match work {
        Work::Image(_) | Work::Start(_) | Work::Holder => Duration::from_secs(10),
        Work::Address | Work::Devices | Work::Volumes | Work::Hook(_) | Work::Stop(_) | Work::Remove(_) => {
            Duration::from_secs(1)
        }
    };
    if failures == 0 {
        Duration::from_secs(1)
    } else {
        doubled(first, failures - 1)
    }
}

fn doubled(first: Duration, times: u32) -> Duration {
    first
        .saturating_mul(1u32.checked_shl(times.min(16)).unwrap_or(u32::MAX))
        .min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restarts_wait_ten_seconds_doubling_to_five_minutes() {
        let seconds: Vec<u64> = (0..9).map(|crashes| restart(crashes).as_secs()).collect();
        assert_eq!(seconds, [0, 0, 10, 20, 40, 80, 160, 300, 300]);
        assert_eq!(restart(u32::MAX), LONGEST);
    }

    #[test]
    fn a_clock_that_was_set_back_ends_the_wait() {
        let (wait, at) = (Duration::from_secs(10), Time::from_secs(5000));
        assert_eq!(until(at, wait, Time::from_secs(5001)), Time::from_secs(5010));
        assert_eq!(until(at, wait, Time::from_secs(1400)), Time::from_secs(1400));
    }

    #[test]
    fn image_failures_wait_at_once() {
        let seconds: Vec<u64> = (0..4)
            .map(|n| retry(&Work::Image(String::new()), n).as_secs())
            .collect();
        assert_eq!(seconds, [1, 10, 20, 40]);
    }
}
