//! When each node was last heard of: in memory only, so that heartbeats never touch the log.

use std::{collections::BTreeMap, sync::Mutex, time::Instant};

use skep_api::Time;
use skep_controllers::Lease;

/// When each node was last heard of. Kept by a clock that is never set, so that no node falls silent because somebody set
/// the server's.
#[derive(Debug, Default)]
pub(crate) struct Leases(Mutex<BTreeMap<String, Instant>>);

impl Leases {
    /// The node was heard of.
    pub(crate) fn renew(&self, node: &str) {
        let mut leases = self.0.lock().expect("no holder panics");
        match leases.get_mut(node) {
            Some(renewed) => *renewed = Instant::now(),
            None => {
                leases.insert(node.to_owned(), Instant::now());
            }
        }
    }

    /// Every node counts as heard of: what a new leader begins with.
    pub(crate) fn grant<'a>(&self, nodes: impl Iterator<Item = &'a str>) {
        let now = Instant::now();
        let fresh = nodes.map(|node| (node.to_owned(), now));
        self.0.lock().expect("no holder panics").extend(fresh);
    }

    /// Forgets a node that is no more.
    pub(crate) fn forget(&self, node: &str) {
        self.0.lock().expect("no holder panics").remove(node);
    }

    /// The leases of those among `names` that are nodes, as times of a clock that shows `now`.
    pub(crate) fn of<'a>(&self, names: impl Iterator<Item = &'a str>, now: Time) -> BTreeMap<String, Lease> {
        let leases = self.0.lock().expect("no holder panics");
        let at = |renewed: &Instant| {
            let age = i64::try_from(renewed.elapsed().as_millis()).unwrap_or(i64::MAX);
            Time::from_millis(now.as_millis().saturating_sub(age))
        };
        let found = names.filter_map(|name| leases.get_key_value(name));
        found
            .map(|(node, renewed)| (node.clone(), Lease { renewed: at(renewed) }))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_makes_no_lease_older() {
        let leases = Leases::default();
        leases.renew("a");
        for shown in [
            Time::from_secs(5_000),
            Time::from_secs(5_000 + 3600),
            Time::from_secs(1400),
        ] {
            assert!(
                shown
                    .since(leases.of(["a"].into_iter(), shown)["a"].renewed)
                    .as_secs()
                    < 60,
                "{shown}"
            );
        }
    }
}
