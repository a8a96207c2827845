//! The servers: the real control plane, each with its own disk, speaking TLS and gRPC over the simulated network.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use skep_server::{Begin, ClusterConfig, Ready, ServerConfig, ServerError};
use skep_trust::Wire;
use tokio::{sync::oneshot, task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

use super::wires::Wires;
use crate::{files::copy, trace::note};

/// How long a server may take to answer calls: it may have to wait for others.
const READY_WITHIN: Duration = Duration::from_secs(90);

/// The servers, by their names `s1`, `s2` and so on.
pub(super) struct Servers {
    wires: Wires,
    root: PathBuf,
    servers: BTreeMap<String, Server>,
}

struct Server {
    number: u8,
    begin: Begin,
    /// How often it was given another address.
    moves: u8,
    /// How often it has crashed: the next life begins with a copy of the folder.
    life: u32,
    running: Option<Running>,
}

struct Running {
    ended: JoinHandle<Result<(), ServerError>>,
    shutdown: CancellationToken,
}

/// Where a server is reached that has moved so often.
pub(super) fn address(number: u8, moves: u8) -> String {
    format!("10.0.{moves}.{number}:7443")
}

impl Servers {
    pub(super) fn new(wires: &Wires, root: &Path) -> Self {
        Self {
            wires: wires.clone(),
            root: root.to_owned(),
            servers: BTreeMap::new(),
        }
    }

    /// Another server, that is not up yet.
    pub(super) fn add(&mut self, begin: Begin) -> String {
        let number = u8::try_from(self.servers.len() + 1).unwrap();
        let name = format!("s{number}");
        let server = Server {
            number,
            begin,
            moves: 0,
            life: 0,
            running: None,
        };
        self.servers.insert(name.clone(), server);
        name
    }

    /// Gives a server that is down another address.
    pub(super) fn relocate(&mut self, name: &str) {
        let server = self.servers.get_mut(name).unwrap();
        server.moves += 1;
        note!("server {name} moves to {}", address(server.number, server.moves));
    }

    /// Starts a server that is down; what comes back tells when it answers calls.
    pub(super) fn start(&mut self, name: &str) -> oneshot::Receiver<Ready> {
        note!("server {name} starts");
        let folder = self.folder(name);
        let server = self.servers.get_mut(name).unwrap();
        let wire = Wire::through(self.wires.begin(name));
        let config = config(name, server, &folder, wire);
        let shutdown = CancellationToken::new();
        let (ready, is_ready) = oneshot::channel();
        let ended = tokio::spawn(watched(
            name.to_owned(),
            skep_server::run(config, ready, shutdown.clone()),
            shutdown.clone(),
        ));
        server.running = Some(Running { ended, shutdown });
        is_ready
    }

    /// Starts servers together, and waits until all of them answer calls.
    pub(super) async fn run(&mut self, names: &[String]) {
        let started: Vec<_> = names.iter().map(|name| self.start(name)).collect();
        for is_ready in started {
            timeout(READY_WITHIN, is_ready)
                .await
                .expect("a server is ready in time")
                .expect("a server does not give up");
        }
    }

    /// Ends a server with all that it is in the middle of: its program is killed, or its power is lost.
    pub(super) fn crash(&mut self, name: &str, silently: bool) {
        let old = self.folder(name);
        let server = self.servers.get_mut(name).unwrap();
        let Some(Running { ended, shutdown }) = server.running.take() else {
            return;
        };
        note!(
            "server {name} {}",
            if silently { "loses power" } else { "is killed" }
        );
        self.wires.end(name, silently);
        server.life += 1;
        copy(&old, &self.folder(name));
        // What is left of it reaches nobody, and its folder is of no interest any more.
        shutdown.cancel();
        tokio::spawn(async move {
            ended.await.ok();
            fs::remove_dir_all(old).ok();
        });
    }

    /// Ends a server in good order.
    pub(super) async fn stop(&mut self, name: &str) {
        if let Some(Running { ended, shutdown }) = self.servers.get_mut(name).unwrap().running.take() {
            note!("server {name} stops");
            shutdown.cancel();
            ended.await.ok();
            self.wires.end(name, false);
        }
    }

    /// The names of those that run.
    pub(super) fn up(&self) -> Vec<String> {
        let up = self.servers.iter().filter(|(_, server)| server.running.is_some());
        up.map(|(name, _)| name.clone()).collect()
    }

    pub(super) fn all(&self) -> Vec<String> {
        self.servers.keys().cloned().collect()
    }

    /// Their addresses, by their names.
    pub(super) fn addresses(&self) -> BTreeMap<String, String> {
        let addresses = self
            .servers
            .iter()
            .map(|(name, server)| (name.clone(), address(server.number, server.moves)));
        addresses.collect()
    }

    /// The path of the socket for those on the same machine.
    pub(super) fn socket(&self, name: &str) -> String {
        self.folder(name).join("skep.sock").display().to_string()
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.root.join(format!("{name}.{}", self.servers[name].life))
    }
}

/// A server that ends by itself has failed.
async fn watched(
    name: String,
    runs: impl Future<Output = Result<(), ServerError>>,
    shutdown: CancellationToken,
) -> Result<(), ServerError> {
    let ended = runs.await;
    if let Err(error) = &ended {
        note!("server {name} ended: {error}");
        assert!(shutdown.is_cancelled(), "server {name} ended by itself: {error}");
    }
    ended
}

fn config(name: &str, server: &Server, folder: &Path, wire: Wire) -> ServerConfig {
    let address = address(server.number, server.moves);
    let cluster = ClusterConfig {
        home: folder.to_owned(),
        begin: server.begin.clone(),
        name: name.to_owned(),
        listen: address.parse().unwrap(),
        advertise: address,
        learner: false,
        backup_interval: None,
        backups_kept: 0,
    };
    ServerConfig {
        socket: folder.join("skep.sock"),
        cluster: Some(cluster),
        wire,
        ..ServerConfig::new(folder.join("server"))
    }
}
