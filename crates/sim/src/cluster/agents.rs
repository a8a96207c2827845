//! The machines that run pods: the real agent on an engine in memory.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use skep_agent::{AgentConfig, AgentError, ServerAddress, TlsFiles};
use skep_trust::Wire;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{
    engine::{Door, Engine},
    invariants::copies::Copies,
    wires::Wires,
};
use crate::{net::Alive, trace::note};

/// The machines, by the names of their nodes.
pub(super) struct Agents {
    wires: Wires,
    root: PathBuf,
    servers: Vec<String>,
    /// For machines that are still to come; each is good for one of them.
    tokens: Vec<String>,
    copies: Copies,
    machines: BTreeMap<String, Machine>,
}

struct Machine {
    token: String,
    engine: Arc<Engine>,
    running: Option<Running>,
    /// The agent's last life, which holds the folder until it is over.
    last: Option<JoinHandle<Result<(), AgentError>>>,
}

struct Running {
    alive: Alive,
    ended: JoinHandle<Result<(), AgentError>>,
    shutdown: CancellationToken,
}

impl Agents {
    pub(super) fn new(
        wires: &Wires,
        root: PathBuf,
        servers: Vec<String>,
        tokens: Vec<String>,
        copies: Copies,
    ) -> Self {
        Self {
            wires: wires.clone(),
            root,
            servers,
            tokens,
            copies,
            machines: BTreeMap::new(),
        }
    }

    /// Another machine, whose agent runs; false where there is none left.
    pub(super) async fn add(&mut self) -> bool {
        let Some(token) = self.tokens.pop() else {
            return false;
        };
        let node = format!("n{}", self.machines.len() + 1);
        let machine = Machine {
            token,
            engine: Engine::new(&node, self.copies.clone()),
            running: None,
            last: None,
        };
        self.machines.insert(node.clone(), machine);
        self.run(&node).await;
        true
    }

    /// Starts an agent that is down.
    pub(super) async fn run(&mut self, node: &str) {
        let config = self.config(node);
        let machine = self.machines.get_mut(node).unwrap();
        if let Some(last) = machine.last.take() {
            last.await.ok();
        }
        note!("agent {node} starts");
        let wire = Wire::through(self.wires.begin(node));
        let config = AgentConfig { wire, ..config };
        let (alive, shutdown) = (Alive::default(), CancellationToken::new());
        let door = Door {
            engine: machine.engine.clone(),
            alive: alive.clone(),
        };
        let runs = skep_agent::run_with(config, Arc::new(door), shutdown.clone());
        let ended = tokio::spawn(watched(node.to_owned(), runs, shutdown.clone()));
        machine.running = Some(Running {
            alive,
            ended,
            shutdown,
        });
    }

    /// Kills an agent; containers go on. Or the machine loses power, and with it its containers.
    pub(super) fn crash(&mut self, node: &str, power: bool) {
        let machine = self.machines.get_mut(node).unwrap();
        let Some(Running {
            alive,
            ended,
            shutdown,
        }) = machine.running.take()
        else {
            return;
        };
        note!("agent {node} {}", if power { "loses power" } else { "is killed" });
        alive.end();
        self.wires.end(node, power);
        if power {
            machine.engine.lose_power();
        }
        shutdown.cancel();
        machine.last = Some(ended);
    }

    /// The names of those that run.
    pub(super) fn up(&self) -> Vec<String> {
        let up = self
            .machines
            .iter()
            .filter(|(_, machine)| machine.running.is_some());
        up.map(|(node, _)| node.clone()).collect()
    }

    pub(super) fn all(&self) -> Vec<String> {
        self.machines.keys().cloned().collect()
    }

    pub(super) fn engines(&self) -> BTreeMap<String, Arc<Engine>> {
        let engines = self
            .machines
            .iter()
            .map(|(node, machine)| (node.clone(), machine.engine.clone()));
        engines.collect()
    }

    fn config(&self, node: &str) -> AgentConfig {
        let data_dir = self.root.join(node);
        let mut config = AgentConfig {
            node_name: node.to_owned(),
            server: ServerAddress::Tls {
                addresses: self.servers.clone(),
                files: TlsFiles::in_data_dir(&data_dir),
                join_token: Some(self.machines[node].token.clone()),
            },
            data_dir,
            ..AgentConfig::default()
        };
        // What the real machine is short of is nothing to simulated ones.
        config.eviction.hard.clear();
        config
    }
}

/// An agent that ends by itself has failed.
async fn watched(
    node: String,
    runs: impl Future<Output = Result<(), AgentError>>,
    shutdown: CancellationToken,
) -> Result<(), AgentError> {
    let ended = runs.await;
    if let Err(error) = &ended {
        note!("agent {node} ended: {error}");
        assert!(shutdown.is_cancelled(), "agent {node} ended by itself: {error}");
    }
    ended
}
