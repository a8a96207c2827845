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
    mutant::Mutant,
    store::{
        Shared,
        servers::{Running, Servers},
    },
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
    let mut all = Vec::new();
    for watcher in watchers {
        all.push(watcher.await.unwrap());
    }
    agree(all, from, told);
    let last = servers.stores()[0].state().revision();
    until("every server tells of the last change", async || {
        servers
            .stores()
            .iter()
            .all(|store| *store.revisions().borrow() == last)
    })
    .await;
}

/// All that was seen after a revision is one story.
fn agree(watchers: impl IntoIterator<Item = Seen>, from: u64, told: &str) {
    let mut all: BTreeMap<u64, String> = BTreeMap::new();
    for seen in watchers {
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
}

async fn watch(number: u64, servers: Shared, from: u64, stop: Arc<AtomicBool>) -> Seen {
    let mut seen = Seen {
        upto: from,
        ..Seen::default()
    };
    while !stop.load(Relaxed) {
        let running = servers.read().await.running();
        let Some(server) = luck::choose(&running) else {
            sleep(Duration::from_millis(5)).await;
            continue;
        };
        drop(running);
        let a_while = Duration::from_millis(luck::range(20..600));
        timeout(a_while, seen.follow(&server)).await.ok();
        note!(
            "watcher {number} at {} has seen {}",
            server.store.server_id(),
            seen.upto
        );
    }
    seen
}

impl Seen {
    /// Follows one server for as long as it is let. What is left of one that has crashed tells nobody anything.
    async fn follow(&mut self, Running { store, alive }: &Running) {
        if !alive.is() {
            return;
        }
        let Ok(mut watch) = store.watch(self.upto) else {
            let listed = store.state().revision();
            assert!(listed > self.upto, "told to list again, and there is nothing new");
            (self.upto, self.lists) = (listed, self.lists + 1);
            return;
        };
        while let Ok(events) = watch.next().await {
            if !alive.is() {
                return;
            }
            for event in events {
                if Mutant::LostEvents.is_here() && luck::permille(5) {
                    continue;
                }
                self.see(event.revision, event.key.to_string());
            }
        }
    }

    /// # Panics
    /// Where that is not what comes next.
    fn see(&mut self, revision: u64, key: String) {
        let next = self.upto + 1;
        assert_eq!(revision, next, "a change was skipped or told twice");
        self.upto = revision;
        self.changes.insert(revision, key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saw(changes: &[(u64, &str)]) -> Seen {
        let mut seen = Seen::default();
        for (revision, key) in changes {
            seen.see(*revision, (*key).to_owned());
        }
        seen
    }

    #[test]
    fn watchers_that_agree_are_fine() {
        agree([saw(&[(1, "a"), (2, "b")]), saw(&[(1, "a")])], 0, "");
    }

    #[test]
    #[should_panic(expected = "a change was skipped or told twice")]
    fn a_change_that_was_skipped_is_noticed() {
        saw(&[(1, "a"), (3, "c")]);
    }

    #[test]
    #[should_panic(expected = "a change was skipped or told twice")]
    fn a_change_that_was_told_twice_is_noticed() {
        saw(&[(1, "a"), (1, "a")]);
    }

    #[test]
    #[should_panic(expected = "a watcher saw nothing")]
    fn a_watcher_that_saw_nothing_is_noticed() {
        agree([saw(&[])], 0, "");
    }

    #[test]
    #[should_panic(expected = "two watchers saw another change 2")]
    fn two_stories_of_the_same_change_are_noticed() {
        agree([saw(&[(1, "a"), (2, "b")]), saw(&[(1, "a"), (2, "c")])], 0, "");
    }

    #[test]
    #[should_panic(expected = "left: [2]")]
    fn changes_that_are_missing_at_the_end_are_noticed() {
        let mut seen = saw(&[(1, "a"), (2, "b")]);
        seen.changes.remove(&1);
        agree([seen], 0, "");
    }
}
