//! When each node was last heard of: in memory only, so that heartbeats never touch the log.

use std::{collections::BTreeMap, sync::Mutex};

use skep_api::Time;
use skep_controllers::Lease;

/// When each node was last heard of.
#[derive(Debug, Default)]
pub(crate) struct Leases(Mutex<BTreeMap<String, Lease>>);

impl Leases {
    /// The node was heard of.
    pub(crate) fn renew(&self, node: &str, now: Time) {
        let mut leases = self.0.lock().expect("no holder panics");
        match leases.get_mut(node) {
            Some(lease) => lease.renewed = now,
            None => {
                leases.insert(node.to_owned(), Lease { renewed: now });
            }
        }
    }

    /// Every node counts as heard of: what a new leader begins with.
    pub(crate) fn grant<'a>(&self, nodes: impl Iterator<Item = &'a str>, now: Time) {
        let fresh = nodes.map(|node| (node.to_owned(), Lease { renewed: now }));
        self.0.lock().expect("no holder panics").extend(fresh);
    }

    /// Forgets a node that is no more.
    pub(crate) fn forget(&self, node: &str) {
        self.0.lock().expect("no holder panics").remove(node);
    }

    /// All leases, by node.
    pub(crate) fn all(&self) -> BTreeMap<String, Lease> {
        self.0.lock().expect("no holder panics").clone()
    }
}
