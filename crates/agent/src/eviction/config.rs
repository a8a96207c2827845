//! When pods are evicted for what the node runs short of.

use std::{collections::BTreeMap, time::Duration};

use skep_api::{Quantity, ResourceList};

use super::{Amount, Signal};

/// When pods are evicted for what the node runs short of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvictionConfig {
    /// Below these, a pod goes at once.
    pub hard: BTreeMap<Signal, Amount>,
    /// Below these for some time, a pod goes with time to end.
    pub soft: BTreeMap<Signal, SoftThreshold>,
    /// The longest time that a pod gets to end after a soft threshold.
    pub pod_grace_max: Duration,
    /// How long the node says that it is short after it was.
    pub transition: Duration,
    /// How often the machine is looked at.
    pub every: Duration,
}

/// A threshold that must be crossed for some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SoftThreshold {
    /// How much must be left.
    pub amount: Amount,
    /// How long less than that may be left.
    pub grace: Duration,
}

impl Default for EvictionConfig {
    fn default() -> Self {
        let hard = BTreeMap::from([
            (Signal::MemoryAvailable, Amount::Quantity(100 << 20)),
            (Signal::NodefsAvailable, Amount::Share(1000)),
            (Signal::NodefsInodesFree, Amount::Share(500)),
            (Signal::ImagefsAvailable, Amount::Share(1000)),
            (Signal::ImagefsInodesFree, Amount::Share(500)),
            (Signal::PidAvailable, Amount::Share(500)),
        ]);
        Self {
            hard,
            soft: BTreeMap::new(),
            pod_grace_max: Duration::from_secs(30),
            transition: Duration::from_secs(300),
            every: Duration::from_secs(10),
        }
    }
}

impl EvictionConfig {
    /// What no pod can have without being evicted for it.
    pub(crate) fn kept_back(&self, capacity: &ResourceList) -> ResourceList {
        let pairs = [
            ("memory", Signal::MemoryAvailable),
            ("ephemeral-storage", Signal::NodefsAvailable),
        ];
        let kept = pairs.into_iter().filter_map(|(name, signal)| {
            let all = u64::try_from(capacity.get(name)?.units()).ok()?;
            let amount = self.hard.get(&signal)?.of(all);
            Some((name.to_owned(), Quantity::from_bytes(i64::try_from(amount).ok()?)))
        });
        kept.collect()
    }
}
