//! Servers that come and go. Each has a runtime of its own, and a crash is the sudden end of that runtime.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use skep_state::Change;
use skep_store::{Member, OpenError, Store, StoreConfig};
use skep_testkit::namespace;
use tempfile::TempDir;
use tokio::{runtime::Runtime, time::sleep};

use super::{PATIENCE, entry, net::Net, until};

/// The servers of a cluster, by their numbers.
pub(crate) struct Servers {
    pub(crate) net: Net,
    servers: BTreeMap<u64, Server>,
    configure: Arc<dyn Fn(StoreConfig) -> StoreConfig + Send + Sync>,
}

struct Server {
    dir: TempDir,
    member: Member,
    running: Option<(Runtime, Store)>,
}

impl Drop for Servers {
    fn drop(&mut self) {
        for id in self.up() {
            self.crash(id);
        }
    }
}

pub(crate) fn member(id: u64) -> Member {
    Member::new(id, format!("server-{id}"), format!("server-{id}:7443"))
}

impl Servers {
    /// A cluster of so many voters, with the namespace `default`.
    pub(crate) async fn start(count: u64, net: Net) -> Self {
        Self::configured(count, net, |config| config).await
    }

    /// As [`Servers::start`], with other settings.
    pub(crate) async fn configured(
        count: u64,
        net: Net,
        configure: impl Fn(StoreConfig) -> StoreConfig + Send + Sync + 'static,
    ) -> Self {
        let mut servers = Self {
            configure: Arc::new(configure),
            servers: BTreeMap::new(),
            net,
        };
        servers.add(&member(1));
        servers.run(1).await;
        let first = servers.store(1);
        let made = first.propose(entry("", [Change::create(namespace("default"))]));
        made.await.unwrap()[0].as_ref().unwrap();
        for id in 2..=count {
            servers.join(member(id)).await;
        }
        servers
    }

    /// No server yet.
    pub(crate) fn none(net: Net) -> Self {
        Self {
            net,
            servers: BTreeMap::new(),
            configure: Arc::new(|config| config),
        }
    }

    /// Gives a server an empty folder.
    pub(crate) fn add(&mut self, member: &Member) {
        let server = Server {
            dir: fast_folder(),
            member: member.clone(),
            running: None,
        };
        self.servers.insert(member.id, server);
    }

    /// A new server becomes a voter.
    pub(crate) async fn join(&mut self, member: Member) {
        let other = self.up()[0];
        self.join_at(other, member).await;
    }

    /// A new server becomes a voter; one of the others is asked to take it in.
    pub(crate) async fn join_at(&mut self, other: u64, member: Member) {
        let id = member.id;
        self.add(&member);
        self.run(id).await;
        let other = self.store(other);
        other.add_learner(member).await.unwrap();
        other.promote(id).await.unwrap();
    }

    /// Starts a server that is down: the first one makes a cluster, any other joins.
    pub(crate) async fn run(&mut self, id: u64) {
        let server = &self.servers[&id];
        let config = StoreConfig::new(server.dir.path())
            .member(server.member.clone())
            .transport(self.net.wire(id));
        let config = if id == 1 { config } else { config.join() };
        let config = (self.configure)(config);
        self.run_with(config).await;
    }

    /// Starts a server that is down, with these settings.
    pub(crate) async fn run_with(&mut self, config: StoreConfig) {
        let member = config.member.clone();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let opened = runtime.spawn(open_when_free(config));
        let store = tokio::time::timeout(PATIENCE, opened)
            .await
            .expect("it opens in time")
            .unwrap();
        self.net.listen(&member.address, &store, runtime.handle().clone());
        let server = self.servers.get_mut(&member.id).unwrap();
        server.member = member;
        server.running = Some((runtime, store));
    }

    /// Ends a server with all that it is in the middle of.
    pub(crate) fn crash(&mut self, id: u64) {
        let server = self.servers.get_mut(&id).unwrap();
        self.net.hang_up(&server.member.address);
        if let Some((runtime, store)) = server.running.take() {
            drop(store);
            runtime.shutdown_background();
        }
    }

    /// Ends a server in good order.
    pub(crate) async fn stop(&mut self, id: u64) {
        let server = self.servers.get_mut(&id).unwrap();
        if let Some((runtime, store)) = server.running.take() {
            // What others still ask is answered while it stops.
            runtime.spawn(store.shutdown()).await.unwrap();
            self.net.hang_up(&server.member.address);
            runtime.shutdown_background();
        }
    }

    /// A server that runs.
    pub(crate) fn store(&self, id: u64) -> Store {
        self.servers[&id].running.as_ref().unwrap().1.clone()
    }

    pub(crate) fn dir(&self, id: u64) -> &Path {
        self.servers[&id].dir.path()
    }

    /// The numbers of those that run.
    pub(crate) fn up(&self) -> Vec<u64> {
        let up = self.servers.iter().filter(|(_, server)| server.running.is_some());
        up.map(|(id, _)| *id).collect()
    }

    /// Every server that runs.
    pub(crate) fn stores(&self) -> Vec<Store> {
        self.up().into_iter().map(|id| self.store(id)).collect()
    }

    /// The number of the server that leads, once a majority of the running servers sees it so.
    pub(crate) async fn leader(&self) -> u64 {
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

    /// A running server that does not lead.
    pub(crate) async fn follower(&self) -> u64 {
        let leader = self.leader().await;
        self.up().into_iter().find(|id| *id != leader).unwrap()
    }

    /// Waits until all running servers have carried out the same, and sees that it made the same of them.
    pub(crate) async fn settle(&self) {
        until("all servers have the same state", async || {
            let states: Vec<_> = self.stores().iter().map(Store::state).collect();
            states
                .windows(2)
                .all(|pair| pair[0].revision() == pair[1].revision())
        })
        .await;
        // Entries that write nothing make no revision, and are remembered all the same: a read waits for what is decided.
        let mut states = Vec::new();
        for store in self.stores() {
            states.push(store.read().await.unwrap());
        }
        for pair in states.windows(2) {
            assert!(pair[0] == pair[1], "the same revision, and yet another state");
        }
    }
}

/// A crashed server lets go of its folder as soon as the last of its tasks is gone.
async fn open_when_free(config: StoreConfig) -> Store {
    loop {
        match Store::open(config.clone()).await {
            Ok(store) => return store,
            Err(OpenError::Locked { .. }) => sleep(Duration::from_millis(5)).await,
            Err(error) => panic!("{error}"),
        }
    }
}

/// A folder in memory where there is one: these tests are not about disks.
pub(crate) fn fast_folder() -> TempDir {
    TempDir::new_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}
