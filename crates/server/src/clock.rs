//! The one place where the server reads the time.

use skep_api::Time;

/// The present instant.
pub(crate) fn now() -> Time {
    let now = std::time::SystemTime::now();
    let since = now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Time::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
