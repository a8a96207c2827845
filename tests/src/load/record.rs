//! What clients had acknowledged and what they saw, held against what the servers have in the end.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::runtime::Runtime;

use super::{
    watcher::Seen,
    writer::{Written, number_in},
};
use crate::{Client, client::revision, eventually};

const SOON: Duration = Duration::from_secs(60);

/// Kept of what servers said; what they say repeats.
const REFUSALS_MAX: usize = 100;

/// What servers said when they did not take a write.
#[derive(Default)]
pub(crate) struct Refusals(Mutex<BTreeSet<String>>);

impl Refusals {
    pub(crate) fn note(&self, message: &str) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() < REFUSALS_MAX {
            all.insert(message.to_owned());
        }
    }

    pub(crate) fn all(&self) -> Vec<String> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().cloned().collect()
    }
}

/// What the clients of a load had acknowledged, and what they saw.
pub struct Record {
    runtime: Runtime,
    client: Client,
    written: Vec<Written>,
    seen: Vec<Seen>,
}

impl Record {
    pub(super) fn new(runtime: Runtime, client: Client, written: Vec<Written>, seen: Vec<Seen>) -> Self {
        Self {
            runtime,
            client,
            written,
            seen,
        }
    }

    /// Every acknowledged write is at every server, all servers have the same, and every watcher saw each change once and
    /// in order.
    ///
    /// # Panics
    /// Where it is not so.
    pub fn check(&self) {
        let servers: Vec<_> = (0..self.client.servers())
            .map(|server| self.objects(server))
            .collect();
        for (server, objects) in servers.iter().enumerate() {
            self.check_server(server, objects);
            assert_eq!(objects, &servers[0], "server {server} has something else");
        }
        let revisions = self.revisions();
        for seen in &self.seen {
            check_watcher(seen, &revisions);
        }
        let resumed: usize = self.seen.iter().map(|seen| seen.resumed).sum();
        let gaps: usize = self.seen.iter().map(|seen| seen.gaps.len()).sum();
        eprintln!(
            "{} writes acknowledged, {resumed} watches resumed, {gaps} told to list again",
            revisions.len()
        );
    }

    /// Name, and revision and number of each object that a server has, of its own knowledge.
    fn objects(&self, server: usize) -> BTreeMap<String, (u64, Option<u64>)> {
        let last = self.revisions().keys().next_back().copied().unwrap_or(0);
        eventually(&format!("server {server} has caught up"), SOON, || {
            let listed = self.runtime.block_on(self.client.list(server, true));
            let (items, at) = listed.ok()?;
            let all = items.iter().map(|item| {
                let name = item["metadata"]["name"].as_str().expect("a name").to_owned();
                (name, (revision(item), number_in(item)))
            });
            (at >= last).then(|| all.collect())
        })
    }

    fn check_server(&self, server: usize, objects: &BTreeMap<String, (u64, Option<u64>)>) {
        for written in &self.written {
            let Some((ledger, number)) = &written.ledger else {
                continue;
            };
            let found = objects.get(ledger).and_then(|(_, number)| *number);
            assert!(
                found >= Some(*number),
                "{ledger} is at {found:?} on server {server}, {number} was acknowledged"
            );
            let small = written.acknowledged.iter().filter(|(name, _)| name != ledger);
            let lost: Vec<_> = small
                .filter(|(name, revision)| objects.get(name).map(|(have, _)| have) != Some(revision))
                .collect();
            assert!(
                lost.is_empty(),
                "acknowledged, and not on server {server}: {lost:?}"
            );
        }
    }

    /// What was acknowledged, by revision.
    fn revisions(&self) -> BTreeMap<u64, &str> {
        let mut all = BTreeMap::new();
        for (name, revision) in self.written.iter().flat_map(|written| &written.acknowledged) {
            let before = all.insert(*revision, name.as_str());
            assert_eq!(before, None, "{name} has the same revision {revision}");
        }
        all
    }
}

fn check_watcher(seen: &Seen, revisions: &BTreeMap<u64, &str>) {
    let changes: BTreeMap<u64, &str> = seen
        .changes
        .iter()
        .map(|(name, revision)| (*revision, name.as_str()))
        .collect();
    assert_eq!(changes.len(), seen.changes.len(), "a change was seen twice");
    let in_gap = |revision: u64| {
        let mut gaps = seen.gaps.iter();
        gaps.any(|(after, to)| (after + 1..=*to).contains(&revision))
    };
    let missed: Vec<_> = revisions
        .iter()
        .filter(|(revision, name)| changes.get(*revision) != Some(*name) && !in_gap(**revision))
        .collect();
    assert!(missed.is_empty(), "a watcher never saw {missed:?}");
}
