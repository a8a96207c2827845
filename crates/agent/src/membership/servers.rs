//! The servers that can be dialled: those named at the start, and those heard of since, which are kept in a file.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use rand::seq::SliceRandom;

/// More servers than a cluster ever has.
const SERVERS_MAX: usize = 32;

/// The servers that can be dialled, each as `host:port`.
#[derive(Debug)]
pub(crate) struct Servers {
    /// Named at the start.
    named: Vec<String>,
    file: PathBuf,
    list: Mutex<List>,
}

#[derive(Debug)]
struct List {
    /// In the order in which they are dialled; nodes differ in it.
    all: Vec<String>,
    next: usize,
    /// What is in the file.
    kept: Vec<String>,
}

impl Servers {
    /// Those named, and those in the file.
    pub(crate) fn new(named: &[String], file: PathBuf) -> Self {
        let heard_of = fs::read_to_string(&file).unwrap_or_default();
        let heard_of: Vec<String> = heard_of.lines().map(|line| line.trim().to_owned()).collect();
        let mut all = union(&heard_of, named);
        all.shuffle(&mut rand::rng());
        Self {
            named: named.to_vec(),
            file,
            list: Mutex::new(List {
                all,
                next: 0,
                kept: heard_of,
            }),
        }
    }

    /// All of them, the one to dial first.
    pub(crate) fn all(&self) -> Vec<String> {
        let list = self.lock();
        let (late, early) = list.all.split_at(list.next.min(list.all.len()));
        [early, late].concat()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.lock().all.len()
    }

    /// The one to dial; `None` where there is none at all.
    pub(crate) fn current(&self) -> Option<String> {
        let list = self.lock();
        list.all.get(list.next).cloned()
    }

    /// The one to dial did not do: the next one.
    pub(crate) fn advance(&self) {
        let mut list = self.lock();
        list.next = (list.next + 1) % list.all.len().max(1);
    }

    /// These are the cluster's servers now. Those named at the start stay, in case none of these can be reached.
    pub(crate) fn learn(&self, servers: &[String]) {
        let mut list = self.lock();
        if servers.is_empty() || is_same(servers, &list.kept) {
            return;
        }
        list.take(union(servers, &self.named));
        match keep(&self.file, servers) {
            Ok(()) => list.kept = servers.to_vec(),
            Err(error) => {
                tracing::warn!(%error, "cannot keep the list of servers in {}", self.file.display());
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl List {
    /// Who is dialled now stays the one: it has just told of the others.
    fn take(&mut self, mut all: Vec<String>) {
        let current = self.all.get(self.next).cloned();
        all.shuffle(&mut rand::rng());
        let at = all.iter().position(|server| Some(server) == current.as_ref());
        self.next = at.unwrap_or(0);
        self.all = all;
    }
}

fn union(first: &[String], second: &[String]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for server in first.iter().chain(second) {
        if !server.is_empty() && !all.contains(server) && all.len() < SERVERS_MAX {
            all.push(server.clone());
        }
    }
    all
}

fn is_same(some: &[String], others: &[String]) -> bool {
    some.len() == others.len() && some.iter().all(|server| others.contains(server))
}

fn keep(file: &Path, servers: &[String]) -> io::Result<()> {
    let draft = file.with_extension("new");
    let text: String = servers.iter().map(|server| format!("{server}\n")).collect();
    fs::write(&draft, text)?;
    fs::File::open(&draft)?.sync_all()?;
    fs::rename(&draft, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(named: &[&str], dir: &tempfile::TempDir) -> Servers {
        Servers::new(&strings(named), dir.path().join("servers"))
    }

    fn strings(list: &[&str]) -> Vec<String> {
        list.iter().map(|item| (*item).to_owned()).collect()
    }

    fn sorted(servers: &Servers) -> Vec<String> {
        let mut all = servers.all();
        all.sort();
        all
    }

    #[test]
    fn every_server_has_its_turn() {
        let dir = tempfile::tempdir().unwrap();
        let servers = servers(&["a:1", "b:1", "c:1"], &dir);
        let mut turns: Vec<String> = (0..3)
            .map(|_| {
                let turn = servers.current().unwrap();
                servers.advance();
                turn
            })
            .collect();
        turns.sort();
        assert_eq!(turns, ["a:1", "b:1", "c:1"]);
    }

    #[test]
    fn servers_heard_of_are_dialled_after_a_restart_and_those_named_stay() {
        let dir = tempfile::tempdir().unwrap();
        servers(&["a:1"], &dir).learn(&strings(&["b:1", "c:1"]));
        assert_eq!(sorted(&servers(&["a:1"], &dir)), ["a:1", "b:1", "c:1"]);
        assert_eq!(sorted(&servers(&[], &dir)), ["b:1", "c:1"]);
    }

    #[test]
    fn who_told_of_the_others_stays_the_one_to_dial() {
        let dir = tempfile::tempdir().unwrap();
        let servers = servers(&["a:1"], &dir);
        servers.learn(&strings(&["b:1", "a:1", "c:1", "d:1"]));
        assert_eq!(servers.current().as_deref(), Some("a:1"));
        assert_eq!(servers.len(), 4);
    }
}
