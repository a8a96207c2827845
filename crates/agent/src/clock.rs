//! The one place where the agent reads the time.

use std::time::SystemTime;

use skep_api::Time;

/// The time now, to the millisecond.
pub(crate) fn now() -> Time {
    let since_epoch = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    Time::from_millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}

/// Sleeps until then; for ever where there is no such time.
pub(crate) async fn sleep_until(time: Option<Time>) {
    match time {
        Some(time) => tokio::time::sleep(time.since(now())).await,
        None => std::future::pending().await,
    }
}
