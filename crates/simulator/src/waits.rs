//! How long things took, as figures that say more than a mean.

use std::{fmt, time::Duration};

use serde::Serialize;

/// Durations, summed up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Waits {
    /// How many there were.
    pub count: usize,
    /// Half of them took no longer, in milliseconds.
    pub p50_ms: u64,
    /// All but one in a hundred took no longer, in milliseconds.
    pub p99_ms: u64,
    /// The longest, in milliseconds.
    pub max_ms: u64,
}

impl Waits {
    pub(crate) fn of(mut waits: Vec<Duration>) -> Self {
        waits.sort_unstable();
        let at = |share: usize| {
            let index = (waits.len() * share).div_ceil(100).saturating_sub(1);
            waits
                .get(index)
                .map_or(0, |wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX))
        };
        Self {
            count: waits.len(),
            p50_ms: at(50),
            p99_ms: at(99),
            max_ms: at(100),
        }
    }
}

impl fmt::Display for Waits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            p50_ms,
            p99_ms,
            max_ms,
            ..
        } = *self;
        write!(
            f,
            "half within {}, 99 % within {}, the longest {}",
            seconds(p50_ms),
            seconds(p99_ms),
            seconds(max_ms)
        )
    }
}

fn seconds(millis: u64) -> String {
    if millis < 1000 {
        return format!("{millis} ms");
    }
    format!("{}.{} s", millis / 1000, millis % 1000 / 100)
}
