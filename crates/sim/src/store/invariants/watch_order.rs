//! A watcher sees every change once and in order, wherever it goes on watching; one that is told to list again goes on
//! from there.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    task::JoinHandle,
    time::{sleep, timeout},
};

use crate::{
    luck,
    store::{Shared, servers::Servers},
    trace::note,
    world::until,
};

const WATCHERS: u64 = 3;

/// What a watcher saw: by revision, which object changed.
#[derive(Debug, Default)]
pub(in crate::store) struct Seen {
    changes: BTreeMap<u64, String>,
    /// The last revision that it knows of.
    upto: u64,
    /// It was told to list again this often.
    lists: u32,
}

pub(in crate::store) fn observe(
    servers: &Shared,
    from: u64,
    stop: &Arc<AtomicBool>,
) -> Vec<JoinHandle<Seen>> {
    (0..WATCHERS)
        .map(|number| tokio::spawn(watch(number, servers.clone(), from, stop.clone())))
        .collect()
}

pub(in crate::store) async fn check(
    watchers: Vec<JoinHandle<Seen>>,
    servers: &Servers,
    from: u64,
    told: &str,
) {
    let mut all: BTreeMap<u64, String> = BTreeMap::new();
    for watcher in watchers {
        let seen = watcher.await.unwrap();
        assert!(seen.upto > from, "a watcher saw nothing; {told}");
        if seen.lists == 0 {
            let revisions: Vec<u64> = seen.changes.keys().copied().collect();
            assert_eq!(revisions, (from + 1..=seen.upto).collect::<Vec<_>>(), "{told}");
        }
        for (revision, change) in seen.changes {
            let other = all.entry(revision).or_insert_with(|| change.clone());
            assert_eq!(
                *other, change,
                "two watchers saw another change {revision}; {told}"
            );
        }
    }
    let last = servers.stores()[0].state().revision();
    until("every server tells of the last change", async || {
        servers
            .stores()
            .iter()
            .all(|store| *store.revisions().borrow() == last)
    })
    .await;
}

async fn watch(number: u64, servers: Shared, from: u64, stop: Arc<AtomicBool>) -> Seen {
    let mut seen = Seen {
        upto: from,
        ..Seen::default()
    };
    while !stop.load(Relaxed) {
        let stores = servers.read().await.stores();
        let Some(store) = luck::choose(&stores) else {
            sleep(Duration::from_millis(5)).await;
            continue;
        };
        drop(stores);
        let a_while = Duration::from_millis(luck::range(20..600));
        timeout(a_while, seen.follow(&store)).await.ok();
        note!("watcher {number} at {} has seen {}", store.server_id(), seen.upto);
    }
    seen
}

impl Seen {
    /// Follows one server for as long as it is let.
    async fn follow(&mut self, store: &skep_store::Store) {
        let Ok(mut watch) = store.watch(self.upto) else {
            let listed = store.state().revision();
            assert!(listed > self.upto, "told to list again, and there is nothing new");
            (self.upto, self.lists) = (listed, self.lists + 1);
            return;
        };
        while let Ok(events) = watch.next().await {
            for event in events {
                assert_eq!(
                    event.revision,
                    self.upto + 1,
                    "a change was skipped or told twice"
                );
                self.upto = event.revision;
                self.changes.insert(event.revision, event.key.to_string());
            }
        }
    }
}
