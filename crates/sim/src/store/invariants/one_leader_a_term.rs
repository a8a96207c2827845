//! In a term, at most one server leads.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::time::sleep;

use crate::store::Shared;

/// Who led in which term.
pub(in crate::store) type Leaders = BTreeMap<u64, BTreeSet<u64>>;

pub(in crate::store) async fn observe(servers: Shared, stop: Arc<AtomicBool>) -> Leaders {
    let mut leaders = Leaders::new();
    while !stop.load(Relaxed) {
        for store in servers.read().await.stores() {
            if let (term, true) = store.term() {
                leaders.entry(term).or_default().insert(store.server_id());
            }
        }
        sleep(Duration::from_millis(2)).await;
    }
    leaders
}

pub(in crate::store) fn check(leaders: Leaders, told: &str) {
    assert!(!leaders.is_empty(), "nobody ever led; {told}");
    for (term, leaders) in leaders {
        assert!(
            leaders.len() == 1,
            "in term {term}, all of {leaders:?} led; {told}"
        );
    }
}
