//! Whether the machine is short of something, and whether a pod must go for it now. Pure.

use std::{collections::BTreeMap, time::Duration};

use skep_api::Time;

use super::{Amount, EvictionConfig, Signal, levels::Levels};

/// A condition of the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Pressure {
    Memory,
    Disk,
    Pid,
}

/// Remembers since when thresholds are crossed, and what the node was short of lately.
#[derive(Clone, Debug, Default)]
pub(super) struct Keeper {
    /// Soft thresholds that are crossed, since then without a break.
    soft_since: BTreeMap<Signal, Time>,
    /// When the node was short last, and of what.
    short_at: BTreeMap<Pressure, (Time, String)>,
}

/// What a look has come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// What the node is short of, or was a moment ago, in words.
    pub(super) pressures: BTreeMap<Pressure, String>,
    /// The most urgent thing for which a pod must go now.
    pub(super) act: Option<Short>,
}

/// A threshold that is crossed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Short {
    pub(super) signal: Signal,
    /// How much must be left.
    pub(super) threshold: u64,
    /// How much is left.
    pub(super) available: u64,
    /// The time that a pod gets to end.
    pub(super) grace: Duration,
}

/// For a pod that goes at once: enough to be told, no more.
const AT_ONCE: Duration = Duration::from_secs(1);

impl Keeper {
    /// Looks at what is left.
    pub(super) fn look(&mut self, config: &EvictionConfig, levels: &Levels, now: Time) -> Verdict {
        let hard = crossed(
            levels,
            config.hard.iter().map(|(signal, amount)| (*signal, *amount)),
        );
        let soft = crossed(
            levels,
            config.soft.iter().map(|(signal, soft)| (*signal, soft.amount)),
        );
        self.soft_since
            .retain(|signal, _| soft.iter().any(|short| short.signal == *signal));
        for short in &soft {
            self.soft_since.entry(short.signal).or_insert(now);
        }
        for short in hard.iter().chain(&soft) {
            // The words stay as they were when it began: a status that says something else each time would be written each time.
            let words = || (now, short.to_string());
            self.short_at
                .entry(short.signal.pressure())
                .or_insert_with(words)
                .0 = now;
        }
        self.short_at
            .retain(|_, (at, _)| *at == now || now.since(*at) < config.transition);
        let due = soft.into_iter().filter(|short| {
            let grace = config.soft.get(&short.signal).map(|soft| soft.grace);
            let since = self.soft_since.get(&short.signal);
            since
                .zip(grace)
                .is_some_and(|(since, grace)| now.since(*since) >= grace)
        });
        let due = due.map(|short| Short {
            grace: config.pod_grace_max,
            ..short
        });
        // Of two thresholds of one signal, the hard one comes first.
        let act = hard.into_iter().chain(due).min_by_key(|short| short.signal);
        Verdict {
            pressures: self
                .short_at
                .iter()
                .map(|(pressure, (_, why))| (*pressure, why.clone()))
                .collect(),
            act,
        }
    }
}

impl std::fmt::Display for Short {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = |amount| self.signal.shown(amount);
        write!(
            f,
            "{} fell to {}, below {}",
            self.signal,
            shown(self.available),
            shown(self.threshold)
        )
    }
}

/// What cannot be measured is not short.
fn crossed(levels: &Levels, thresholds: impl Iterator<Item = (Signal, Amount)>) -> Vec<Short> {
    let short = thresholds.filter_map(|(signal, amount)| {
        let level = levels.get(&signal).filter(|level| level.capacity > 0)?;
        let threshold = amount.of(level.capacity);
        (level.available < threshold).then_some(Short {
            signal,
            threshold,
            available: level.available,
            grace: AT_ONCE,
        })
    });
    short.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eviction::{SoftThreshold, levels::Level};

    fn levels(memory: u64, disk: u64) -> Levels {
        let level = |available| Level {
            available,
            capacity: 1000,
        };
        [
            (Signal::MemoryAvailable, level(memory)),
            (Signal::NodefsAvailable, level(disk)),
        ]
        .into()
    }

    fn config() -> EvictionConfig {
        let soft = SoftThreshold {
            amount: Amount::Quantity(500),
            grace: Duration::from_secs(60),
        };
        EvictionConfig {
            hard: [
                (Signal::MemoryAvailable, Amount::Quantity(100)),
                (Signal::NodefsAvailable, Amount::Share(1000)),
            ]
            .into(),
            soft: [(Signal::MemoryAvailable, soft)].into(),
            pod_grace_max: Duration::from_secs(20),
            ..EvictionConfig::default()
        }
    }

    fn at(secs: i64) -> Time {
        Time::from_secs(secs)
    }

    #[test]
    fn a_hard_threshold_acts_at_once_and_memory_comes_first() {
        let mut keeper = Keeper::default();
        assert_eq!(
            keeper.look(&config(), &levels(900, 100), at(0)),
            Verdict::default()
        );
        let verdict = keeper.look(&config(), &levels(99, 99), at(10));
        let short = verdict.act.unwrap();
        assert_eq!((short.signal, short.grace), (Signal::MemoryAvailable, AT_ONCE));
        assert_eq!(verdict.pressures.len(), 2);
        assert_eq!(
            verdict.pressures[&Pressure::Memory],
            "memory.available fell to 0, below 0"
        );
    }

    #[test]
    fn a_soft_threshold_acts_when_it_was_crossed_for_long_enough_without_a_break() {
        let mut keeper = Keeper::default();
        let mut act = |memory, secs| keeper.look(&config(), &levels(memory, 900), at(secs)).act;
        assert_eq!(act(400, 0), None);
        assert_eq!(act(400, 59), None);
        assert_eq!(act(600, 60), None, "a break");
        assert_eq!(act(400, 61), None);
        assert_eq!(act(400, 120), None);
        assert_eq!(act(400, 121).unwrap().grace, Duration::from_secs(20));
        assert_eq!(
            act(50, 122).unwrap().grace,
            AT_ONCE,
            "and below the hard one at once"
        );
    }

    #[test]
    fn the_node_says_for_a_while_that_it_was_short() {
        let mut keeper = Keeper::default();
        let mut is_pressed = |memory, secs| {
            let verdict = keeper.look(&config(), &levels(memory, 900), at(secs));
            (
                verdict.pressures.contains_key(&Pressure::Memory),
                verdict.act.is_some(),
            )
        };
        assert_eq!(
            is_pressed(400, 0),
            (true, false),
            "a soft threshold shows before it acts"
        );
        assert_eq!(is_pressed(900, 10), (true, false));
        assert_eq!(is_pressed(900, 299), (true, false));
        assert_eq!(is_pressed(900, 300), (false, false));
    }

    #[test]
    fn what_cannot_be_measured_is_not_short() {
        let mut keeper = Keeper::default();
        assert_eq!(keeper.look(&config(), &Levels::new(), at(0)), Verdict::default());
        let none = Level::default();
        let unknown = [(Signal::MemoryAvailable, none)].into();
        assert_eq!(keeper.look(&config(), &unknown, at(0)), Verdict::default());
    }
}
