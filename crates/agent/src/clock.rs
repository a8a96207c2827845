//! The one place where the agent reads the time.

use std::{
    sync::LazyLock,
    time::{Instant, SystemTime},
};

use skep_api::Time;

/// The time now, to the millisecond.
pub(crate) fn now() -> Time {
    let since_epoch = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    Time::from_millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}

/// A time that only goes on, whatever becomes of the clock: for what is measured within the agent, not for people.
pub(crate) fn steady() -> Time {
    static BEGIN: LazyLock<(Time, Instant)> = LazyLock::new(|| (now(), Instant::now()));
    BEGIN.0.plus(BEGIN.1.elapsed())
}

/// When it was, by the steady time, that the clock showed this.
pub(crate) fn steady_at(shown: Time) -> Time {
    let age = now().since(shown);
    let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
    Time::from_millis(steady().as_millis().saturating_sub(age))
}

/// Sleeps until then, by the steady time; for ever where there is no such time.
pub(crate) async fn sleep_until(time: Option<Time>) {
    match time {
        Some(time) => tokio::time::sleep(time.since(steady())).await,
        None => std::future::pending().await,
    }
}
