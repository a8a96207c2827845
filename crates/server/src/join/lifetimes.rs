//! How long things are trusted.

use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Certificates of servers and nodes; they are renewed after 50 % to 80 % of it.
pub(crate) const MACHINE_LIFETIME: Duration = days(90);

/// Certificates of people, where nothing else is asked for.
pub(super) const USER_LIFETIME: Duration = days(365);

/// Join tokens, where nothing else is asked for.
pub(super) const TOKEN_LIFETIME: Duration = DAY;

/// No join token lives longer.
pub(super) const TOKEN_LIFETIME_MAX: Duration = days(365);

/// For so many days after its certificate has expired, a machine may come back with the old key, unless the CA's secret says
/// otherwise.
pub(super) const REJOIN_DAYS: u64 = 365;

pub(super) const fn days(count: u64) -> Duration {
    Duration::from_secs(DAY.as_secs() * count)
}
