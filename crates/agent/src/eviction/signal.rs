//! What the machine may run short of, and how short is too short; named and written as the kubelet's.

use std::{collections::BTreeMap, fmt, str::FromStr, time::Duration};

use skep_api::{Quantity, duration};

use super::Pressure;

/// What the machine may run short of, the most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Signal {
    /// Bytes of memory that can be had without swapping.
    MemoryAvailable,
    /// Bytes free where the agent keeps volumes.
    NodefsAvailable,
    /// Inodes free there.
    NodefsInodesFree,
    /// Bytes free where the engine keeps images, containers and logs.
    ImagefsAvailable,
    /// Inodes free there.
    ImagefsInodesFree,
    /// Process numbers free.
    PidAvailable,
}

impl Signal {
    /// All of them, the most urgent first.
    pub const ALL: [Self; 6] = [
        Self::MemoryAvailable,
        Self::NodefsAvailable,
        Self::NodefsInodesFree,
        Self::ImagefsAvailable,
        Self::ImagefsInodesFree,
        Self::PidAvailable,
    ];

    /// As flags write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MemoryAvailable => "memory.available",
            Self::NodefsAvailable => "nodefs.available",
            Self::NodefsInodesFree => "nodefs.inodesFree",
            Self::ImagefsAvailable => "imagefs.available",
            Self::ImagefsInodesFree => "imagefs.inodesFree",
            Self::PidAvailable => "pid.available",
        }
    }

    /// What is short, as events and statuses name it.
    pub(super) const fn resource(self) -> &'static str {
        match self {
            Self::MemoryAvailable => "memory",
            Self::NodefsAvailable | Self::ImagefsAvailable => "ephemeral-storage",
            Self::NodefsInodesFree | Self::ImagefsInodesFree => "inodes",
            Self::PidAvailable => "pids",
        }
    }

    /// The condition that it shows in.
    pub(super) const fn pressure(self) -> Pressure {
        match self {
            Self::MemoryAvailable => Pressure::Memory,
            Self::PidAvailable => Pressure::Pid,
            _ => Pressure::Disk,
        }
    }

    /// An amount of it in words.
    pub(super) fn shown(self, amount: u64) -> String {
        let amount = i64::try_from(amount).unwrap_or(i64::MAX);
        match self {
            Self::MemoryAvailable | Self::NodefsAvailable | Self::ImagefsAvailable => {
                // To the KiB, so that the text stays readable.
                Quantity::from_bytes(amount / 1024 * 1024).to_string()
            }
            _ => amount.to_string(),
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Signal {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|signal| signal.as_str() == text);
        found.ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join(", ");
            format!("`{text}` is nothing that a node can run short of: write one of {known}")
        })
    }
}

/// How much must be left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// Bytes, inodes or process numbers.
    Quantity(u64),
    /// A share of all there is, in hundredths of a percent.
    Share(u32),
}

impl Amount {
    /// In bytes, inodes or process numbers, of so many.
    pub(crate) fn of(self, capacity: u64) -> u64 {
        match self {
            Self::Quantity(amount) => amount,
            Self::Share(share) => {
                let amount = u128::from(capacity) * u128::from(share) / 10_000;
                u64::try_from(amount).unwrap_or(u64::MAX)
            }
        }
    }
}

impl FromStr for Amount {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no amount: write such as 100Mi or 10%");
        if let Some(percent) = text.strip_suffix('%') {
            let percent: f64 = percent.parse().map_err(|_| wrong())?;
            if !(0.0..=100.0).contains(&percent) {
                return Err(format!("`{text}` is not between 0% and 100%"));
            }
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "between 0 and 10000"
            )]
            return Ok(Self::Share((percent * 100.0).round() as u32));
        }
        let quantity: Quantity = text.parse().map_err(|_| wrong())?;
        u64::try_from(quantity.units())
            .map(Self::Quantity)
            .map_err(|_| format!("`{text}` is below 0"))
    }
}

/// Thresholds such as `memory.available<100Mi,nodefs.available<10%`; `none` for none.
///
/// # Errors
/// In words, where a part is wrong or named twice.
pub fn parse_thresholds(text: &str) -> Result<BTreeMap<Signal, Amount>, String> {
    parse(text, '<', "memory.available<100Mi")
}

/// Grace periods such as `memory.available=90s,nodefs.available=2m`.
///
/// # Errors
/// In words, where a part is wrong or named twice.
pub fn parse_grace_periods(text: &str) -> Result<BTreeMap<Signal, Duration>, String> {
    struct Period(Duration);
    impl FromStr for Period {
        type Err = String;
        fn from_str(text: &str) -> Result<Self, String> {
            duration::parse(text).map(Self)
        }
    }
    let periods = parse::<Period>(text, '=', "memory.available=90s")?;
    Ok(periods
        .into_iter()
        .map(|(signal, period)| (signal, period.0))
        .collect())
}

fn parse<T: FromStr<Err = String>>(
    text: &str,
    separator: char,
    example: &str,
) -> Result<BTreeMap<Signal, T>, String> {
    let mut all = BTreeMap::new();
    if text == "none" {
        return Ok(all);
    }
    for part in text.split(',') {
        let (signal, value) = part
            .split_once(separator)
            .ok_or_else(|| format!("`{part}`: write such as {example}"))?;
        let signal: Signal = signal.trim().parse()?;
        if all.insert(signal, value.trim().parse()?).is_some() {
            return Err(format!("{signal} is named twice"));
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_written_as_the_kubelet_writes_them() {
        let found =
            parse_thresholds("memory.available<100Mi,nodefs.available<10%,pid.available<2.5%").unwrap();
        assert_eq!(found[&Signal::MemoryAvailable], Amount::Quantity(100 << 20));
        assert_eq!(found[&Signal::NodefsAvailable].of(1000), 100);
        assert_eq!(found[&Signal::PidAvailable].of(1000), 25);
        assert!(parse_thresholds("none").unwrap().is_empty());
        let periods = parse_grace_periods("memory.available=90s,imagefs.inodesFree=2m").unwrap();
        assert_eq!(periods[&Signal::ImagefsInodesFree], Duration::from_secs(120));
    }

    #[test]
    fn what_is_wrong_says_what_would_be_right() {
        for (text, part) in [
            ("", "memory.available<100Mi"),
            ("memory<1", "one of memory.available"),
            ("memory.available<x", "100Mi or 10%"),
            ("memory.available<-1", "below 0"),
            ("memory.available<101%", "100%"),
            ("memory.available<nan%", "100%"),
            ("memory.available=1", "memory.available<100Mi"),
            ("pid.available<1,pid.available<2", "named twice"),
        ] {
            let error = parse_thresholds(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
        assert!(parse_grace_periods("memory.available=soon").is_err());
    }

    #[test]
    fn bytes_are_shown_as_such_and_counts_as_counts() {
        assert_eq!(Signal::MemoryAvailable.shown(100 << 20), "100Mi");
        assert_eq!(Signal::PidAvailable.shown(1024), "1024");
    }
}
