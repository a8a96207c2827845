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

#[cfg(test)]
mod tests {
    use super::*;

    fn led(terms: &[(u64, &[u64])]) -> Leaders {
        let terms = terms.iter();
        terms
            .map(|(term, leaders)| (*term, leaders.iter().copied().collect()))
            .collect()
    }

    #[test]
    fn another_leader_in_another_term_is_fine() {
        check(led(&[(1, &[1]), (2, &[2]), (4, &[1])]), "");
    }

    #[test]
    #[should_panic(expected = "in term 2, all of {1, 3} led")]
    fn two_leaders_in_a_term_are_noticed() {
        check(led(&[(1, &[1]), (2, &[1, 3])]), "");
    }

    #[test]
    #[should_panic(expected = "nobody ever led")]
    fn a_cluster_without_a_leader_is_noticed() {
        check(led(&[]), "");
    }
}
