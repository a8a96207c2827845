//! Servers that come and go. A crash leaves what their disk had made durable, and nothing else of them.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use skep_state::Change;
use skep_store::{Member, Store, StoreConfig};
use skep_testkit::namespace;

use crate::{
    files::copy,
    luck,
    net::{Alive, Net},
    trace::note,
    world::{entry, until},
};

/// The servers of a cluster, by their numbers.
pub(super) struct Servers {
    pub(super) net: Net,
    root: PathBuf,
    servers: BTreeMap<u64, Server>,
}

/// A server that runs, as clients see it.
#[derive(Clone)]
pub(super) struct Running {
    pub(super) store: Store,
    pub(super) alive: Alive,
}

struct Server {
    member: Member,
    /// How often it has crashed: the next life begins with a copy of the folder.
    life: u32,
    running: Option<Running>,
}

pub(super) fn member(id: u64) -> Member {
    Member::new(id, format!("server-{id}"), format!("server-{id}:7443"))
}

impl Servers {
    /// A cluster of so many voters, with the namespace `default`.
    pub(super) async fn start(count: u64, root: &Path) -> Self {
        let mut servers = Self {
            net: Net::default(),
            root: root.to_owned(),
            servers: BTreeMap::new(),
        };
        servers.add(&member(1));
        servers.run(1).await;
        let first = servers.store(1);
        let made = first
            .propose(entry("", [Change::create(namespace("default"))]))
            .await;
        made.unwrap()[0].as_ref().unwrap();
        for id in 2..=count {
            servers.add(&member(id));
            servers.run(id).await;
            first.add_learner(member(id)).await.unwrap();
            first.promote(id).await.unwrap();
        }
        servers
    }

    /// Gives a server an empty folder.
    pub(super) fn add(&mut self, member: &Member) {
        let server = Server {
            member: member.clone(),
            life: 0,
            running: None,
        };
        self.servers.insert(member.id, server);
    }

    /// Starts a server that is down: the first one makes a cluster, any other joins.
    pub(super) async fn run(&mut self, id: u64) {
        let server = &self.servers[&id];
        let alive = Alive::default();
        let config = StoreConfig::new(self.folder(id))
            .member(server.member.clone())
            .transport(self.net.wire(id, alive.clone()));
        let config = if id == 1 { config } else { config.join() };
        let store = Store::open(settings(config))
            .await
            .unwrap_or_else(|error| panic!("server {id}: {error}"));
        note!("server {id} runs, at revision {}", store.state().revision());
        let server = self.servers.get_mut(&id).unwrap();
        self.net.listen(&server.member.address, &store, alive.clone());
        server.running = Some(Running { store, alive });
    }

    /// Ends a server with all that it is in the middle of, as a loss of power does.
    pub(super) fn crash(&mut self, id: u64) {
        let old = self.folder(id);
        let server = self.servers.get_mut(&id).unwrap();
        let Some(Running { store, alive }) = server.running.take() else {
            return;
        };
        note!("server {id} crashes");
        alive.end();
        self.net.hang_up(&server.member.address);
        server.life += 1;
        copy(&old, &self.folder(id));
        // What is left of it reaches nobody, and its folder is of no interest any more.
        tokio::spawn(async move {
            store.shutdown().await;
            fs::remove_dir_all(old).ok();
        });
    }

    /// Ends a server in good order.
    pub(super) async fn stop(&mut self, id: u64) {
        let server = self.servers.get_mut(&id).unwrap();
        if let Some(Running { store, alive }) = server.running.take() {
            note!("server {id} stops");
            // What others still ask is answered while it stops.
            store.shutdown().await;
            alive.end();
            self.net.hang_up(&server.member.address);
        }
    }

    /// A server that runs.
    pub(super) fn store(&self, id: u64) -> Store {
        self.servers[&id].running.as_ref().unwrap().store.clone()
    }

    /// The numbers of those that run.
    pub(super) fn up(&self) -> Vec<u64> {
        let up = self.servers.iter().filter(|(_, server)| server.running.is_some());
        up.map(|(id, _)| *id).collect()
    }

    /// Every server that runs.
    pub(super) fn running(&self) -> Vec<Running> {
        self.servers
            .values()
            .filter_map(|server| server.running.clone())
            .collect()
    }

    pub(super) fn stores(&self) -> Vec<Store> {
        self.running().into_iter().map(|running| running.store).collect()
    }

    /// The number of the server that leads, once a majority of the running servers sees it so.
    pub(super) async fn leader(&self) -> u64 {
        let mut found = 0;
        until("a server leads", async || {
            for id in self.up() {
                let follows = |store: &Store| store.leader().is_some_and(|leader| leader.id == id);
                let followers = self.stores().iter().filter(|store| follows(store)).count();
                if *self.store(id).leadership().borrow() && followers * 2 > self.up().len() {
                    found = id;
                    return true;
                }
            }
            false
        })
        .await;
        found
    }

    /// Whether a change of members that was cut short took place shows by and by: who is none any more goes.
    async fn send_strangers_away(&mut self) {
        let leader = self.leader().await;
        let members = self.store(leader).members().await;
        for id in self.up() {
            if members.iter().all(|status| status.member.id != id) {
                self.crash(id);
            }
        }
    }

    /// Waits until all members have the same state, and nobody else runs.
    pub(super) async fn settle(&mut self) {
        until("all servers have the same state", async || {
            self.send_strangers_away().await;
            let states: Vec<_> = self.stores().iter().map(Store::state).collect();
            states
                .windows(2)
                .all(|pair| pair[0].revision() == pair[1].revision())
        })
        .await;
        let states: Vec<_> = self.stores().iter().map(Store::state).collect();
        for pair in states.windows(2) {
            assert!(pair[0] == pair[1], "the same revision, and yet another state");
        }
    }

    fn folder(&self, id: u64) -> PathBuf {
        self.root.join(format!("server-{id}.{}", self.servers[&id].life))
    }
}

/// Small enough limits for snapshots to matter within seconds, and a disk that takes its time now and then.
fn settings(config: StoreConfig) -> StoreConfig {
    StoreConfig {
        snapshot_entries: 150,
        heartbeat: Duration::from_millis(60),
        disk_delay: Some(Arc::new(|| {
            let micros = if luck::permille(20) { 0..200_000 } else { 0..2000 };
            Duration::from_micros(luck::range(micros))
        })),
        ..config
    }
}
