//! Durations as people write them (`90s`, `1m30s`) and as tables show them (`3d4h`).

use std::time::Duration;

/// Reads a duration such as `300ms`, `90s`, `1m30s`, `2h` or `0`; a bare number counts seconds.
///
/// # Errors
/// Says how durations are written.
pub fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a duration such as 30s, 5m or 1h30m");
    if let Ok(secs) = text.parse::<u64>() {
        return Ok(Duration::from_secs(secs));
    }
    let (mut rest, mut total) = (text, 0.0);
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or_else(wrong)?;
        let number: f64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = &rest[digits..];
        let unit = rest
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(rest.len());
        total += number * seconds_in(&rest[..unit]).ok_or_else(wrong)?;
        rest = &rest[unit..];
    }
    Duration::try_from_secs_f64(total).map_err(|_| wrong())
}

fn seconds_in(unit: &str) -> Option<f64> {
    Some(match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return None,
    })
}

/// A duration in at most two units, as tables show it: `45s`, `2m30s`, `12m`, `3h5m`, `2d3h`, `400d`, `3y`.
pub fn human(duration: Duration) -> String {
    let secs = duration.as_secs();
    let (mins, hours, days) = (secs / 60, secs / 3600, secs / 86400);
    let two = |large: u64, unit: char, small: u64, small_unit: char| match small {
        0 => format!("{large}{unit}"),
        small => format!("{large}{unit}{small}{small_unit}"),
    };
    match secs {
        0..120 => format!("{secs}s"),
        120..600 => two(mins, 'm', secs % 60, 's'),
        600..10_800 => format!("{mins}m"),
        10_800..28_800 => two(hours, 'h', mins % 60, 'm'),
        28_800..172_800 => format!("{hours}h"),
        172_800..691_200 => two(days, 'd', hours % 24, 'h'),
        _ if days < 730 => format!("{days}d"),
        _ if days < 2920 => two(days / 365, 'y', days % 365, 'd'),
        _ => format!("{}y", days / 365),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        let read = |text| parse(text).map(|duration| duration.as_millis());
        assert_eq!(read("0"), Ok(0));
        assert_eq!(read("15"), Ok(15_000));
        assert_eq!(read("300ms"), Ok(300));
        assert_eq!(read("1m30s"), Ok(90_000));
        assert_eq!(read("1.5h"), Ok(5_400_000));
        for wrong in ["", "s", "5", "-5s", "5x", "1m30", ".s"] {
            assert_eq!(read(wrong).is_err(), wrong != "5", "{wrong}");
        }
    }

    #[test]
    fn durations_are_shown_in_at_most_two_units() {
        let show = |secs| human(Duration::from_secs(secs));
        let shown = [
            0, 119, 120, 150, 599, 600, 10_799, 10_800, 11_100, 28_800, 172_800, 180_000, 691_200,
        ]
        .map(show);
        let expected = [
            "0s", "119s", "2m", "2m30s", "9m59s", "10m", "179m", "3h", "3h5m", "8h", "2d", "2d2h", "8d",
        ];
        assert_eq!(shown, expected);
        assert_eq!(show(86_400 * 729), "729d");
        assert_eq!(show(86_400 * 731), "2y1d");
        assert_eq!(show(86_400 * 365 * 9), "9y");
    }
}
