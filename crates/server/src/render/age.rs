//! Times and how long ago they were, as kubectl writes them.

use std::time::Duration;

use skep_api::Time;

/// A duration in at most two units: `90s`, `3m12s`, `47h`, `12d`, `2y30d`.
pub(crate) fn human_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match () {
        () if seconds < 120 => format!("{seconds}s"),
        () if minutes < 10 => two(minutes, "m", seconds % 60, "s"),
        () if hours < 3 => format!("{minutes}m"),
        () if hours < 8 => two(hours, "h", minutes % 60, "m"),
        () if hours < 48 => format!("{hours}h"),
        () if days < 8 => two(days, "d", hours % 24, "h"),
        () if days < 2 * 365 => format!("{days}d"),
        () if days < 8 * 365 => two(days / 365, "y", days % 365, "d"),
        () => format!("{}y", days / 365),
    }
}

fn two(large: u64, large_unit: &str, small: u64, small_unit: &str) -> String {
    match small {
        0 => format!("{large}{large_unit}"),
        _ => format!("{large}{large_unit}{small}{small_unit}"),
    }
}

/// How long ago that was; `<unknown>` where it is not known.
pub(crate) fn age(now: Time, then: Option<Time>) -> String {
    then.map_or_else(|| "<unknown>".to_owned(), |then| human_duration(now.since(then)))
}

/// `Mon, 02 Jan 2006 15:04:05 +0000`, as RFC 1123 has it; empty where it is not known.
pub(crate) fn date(time: Option<Time>) -> String {
    time.and_then(|time| jiff::Timestamp::from_millisecond(time.as_millis()).ok())
        .map(|timestamp| timestamp.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_like_kubectl_writes_them() {
        let shown = |seconds| human_duration(Duration::from_secs(seconds));
        let (minute, hour, day) = (60, 3600, 86_400);
        assert_eq!(shown(0), "0s");
        assert_eq!(shown(119), "119s");
        assert_eq!(shown(2 * minute), "2m");
        assert_eq!(shown(3 * minute + 12), "3m12s");
        assert_eq!(shown(179 * minute), "179m");
        assert_eq!(shown(3 * hour), "3h");
        assert_eq!(shown(7 * hour + 59 * minute), "7h59m");
        assert_eq!(shown(47 * hour), "47h");
        assert_eq!(shown(2 * day), "2d");
        assert_eq!(shown(7 * day + hour), "7d1h");
        assert_eq!(shown(12 * day), "12d");
        assert_eq!(shown(3 * 365 * day + 4 * day), "3y4d");
        assert_eq!(shown(9 * 365 * day + 4 * day), "9y");
    }

    #[test]
    fn a_future_time_counts_as_now() {
        assert_eq!(age(Time::from_secs(10), Some(Time::from_secs(12))), "0s");
        assert_eq!(age(Time::from_secs(10), None), "<unknown>");
    }

    #[test]
    fn dates_are_written_in_utc() {
        assert_eq!(
            date(Some(Time::from_secs(1_769_860_805))),
            "Sat, 31 Jan 2026 12:00:05 +0000"
        );
        assert_eq!(date(None), "");
    }
}
