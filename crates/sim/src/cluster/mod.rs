//! The whole cluster: real servers and real agents, with TLS and gRPC between them over a simulated network, on engines in
//! memory. Servers and agents crash, machines lose power, wires are cut, while a user scales, rolls and replaces.

mod agents;
mod chaos;
mod engine;
mod invariants;
mod servers;
mod user;
mod wires;

use std::{path::Path, time::Duration};

use skep_api::{Deployment, Node, Pod, proto::JoinRole};
use skep_server::Begin;
use tokio::time::{Instant, sleep, timeout};

use crate::{hermetic, luck, trace::note};
use agents::Agents;
use chaos::Chaos;
use invariants::{binding::Bindings, convergence::Whole, copies::Copies};
use servers::{Servers, address};
use user::User;
use wires::Wires;

/// How long misfortune lasts.
const STORM: Duration = Duration::from_secs(240);

/// All that is wanted runs again after so long: nodes that were lost are heard of, and given up ones are tidied.
const CONVERGES_WITHIN: Duration = Duration::from_secs(240);

/// How long the user waits for something to happen before wanting something else.
const USER_PATIENCE: Duration = Duration::from_secs(30);

const SERVERS: u8 = 3;

/// Machines that join once misfortune has begun, at most.
const LATE_NODES: u32 = 2;

const DEPLOYMENTS: [&str; 3] = ["web", "api", "db"];
const SINGLES: [&str; 2] = ["solo", "lone"];

struct Cluster {
    wires: Wires,
    servers: Servers,
    agents: Agents,
    user: User,
    bindings: Bindings,
}

/// Runs one seed; what happened, in figures.
pub(crate) async fn run(root: &Path) -> String {
    skep_trust::install_crypto();
    let copies = Copies::default();
    let mut cluster = Cluster::start(root, copies.clone()).await;
    cluster.converge("at the start").await;
    let mut chaos = Chaos::default();
    chaos.rage(&mut cluster, STORM).await;
    chaos.calm(&mut cluster).await;
    let took = cluster.converge("in the end").await;
    format!(
        "{:.0} s, {}; {} pods, {} containers started; {}; converged in {:.1} s",
        hermetic::elapsed().as_secs_f64(),
        cluster.wires.told(),
        cluster.bindings.count(),
        copies.started(),
        chaos.told(),
        took.as_secs_f64(),
    )
}

impl Cluster {
    /// Servers, nodes and a few pods.
    async fn start(root: &Path, copies: Copies) -> Self {
        let wires = Wires::default();
        let mut servers = Servers::new(&wires, root);
        let user = User::new(wires.begin("user"));
        let first = servers.add(Begin::Init);
        servers.run(std::slice::from_ref(&first)).await;
        let socket = servers.socket(&first);
        let token = user
            .token(&socket, JoinRole::Server, u32::from(SERVERS) - 1)
            .await;
        let join = Begin::Join {
            servers: vec![address(1, 0)],
            token,
        };
        // They are given their numbers together, and enter in any order.
        let others: Vec<String> = (1..SERVERS).map(|_| servers.add(join.clone())).collect();
        servers.run(&others).await;
        let nodes = luck::range(2..5);
        let mut tokens = Vec::new();
        for _ in 0..nodes + LATE_NODES {
            // An answer that is lost costs nobody their only use.
            tokens.push(user.token(&socket, JoinRole::Agent, 1).await);
        }
        let addresses = (1..=SERVERS).map(|number| address(number, 0)).collect();
        let mut agents = Agents::new(&wires, root.to_owned(), addresses, tokens, copies);
        for _ in 0..nodes {
            agents.add().await;
        }
        let mut cluster = Self {
            wires,
            servers,
            agents,
            user,
            bindings: Bindings::default(),
        };
        for name in DEPLOYMENTS {
            let wish = cluster.user.wish(name, luck::range(1..4), false);
            cluster.user.apply(&cluster.sockets(), wish).await;
        }
        for name in SINGLES {
            let wish = cluster.user.wish_single(name);
            cluster.user.apply(&cluster.sockets(), wish).await;
        }
        cluster
    }

    /// The sockets of the servers that run.
    fn sockets(&self) -> Vec<String> {
        self.servers
            .up()
            .iter()
            .map(|name| self.servers.socket(name))
            .collect()
    }

    /// Asks some server for the pods that it knows of.
    async fn look(&mut self) {
        if let Ok(Ok(pods)) = timeout(USER_PATIENCE, self.user.list::<Pod>(&self.sockets(), true)).await {
            self.bindings.see(&pods);
        }
    }

    /// The user scales a deployment, or rolls it.
    async fn change_deployment(&mut self) -> &'static str {
        let Some(name) = luck::choose(&DEPLOYMENTS) else {
            return "nothing";
        };
        let roll = luck::permille(500);
        let wish = self.user.wish(name, luck::range(0..6), roll);
        let sockets = self.sockets();
        self.insist(async |user| user.apply(&sockets, wish).await).await;
        if roll { "rollout" } else { "scale" }
    }

    /// The user deletes a bare pod, or makes one of the same name anew.
    async fn change_single(&mut self) -> &'static str {
        let Some(name) = luck::choose(&SINGLES) else {
            return "nothing";
        };
        let sockets = self.sockets();
        if self.user.singles.contains(name) {
            self.insist(async |user| user.delete_pod(&sockets, name).await)
                .await;
            "pod deleted"
        } else {
            let wish = self.user.wish_single(name);
            self.insist(async |user| user.apply(&sockets, wish).await).await;
            "pod made anew"
        }
    }

    /// The user asks for something; where no server takes it in time, it is asked for again once all is well.
    async fn insist(&mut self, ask: impl AsyncFnOnce(&mut User)) {
        if timeout(USER_PATIENCE, ask(&mut self.user)).await.is_err() {
            note!("the user has lost patience");
        }
    }

    /// Waits until all is as it should be; how long that took.
    async fn converge(&mut self, when: &str) -> Duration {
        let began = Instant::now();
        let mut last = String::new();
        while began.elapsed() < CONVERGES_WITHIN {
            match self.amiss().await {
                None => return began.elapsed(),
                Some(amiss) if amiss != last => {
                    note!("amiss: {amiss}");
                    last = amiss;
                }
                Some(_) => {}
            }
            self.restore().await;
            sleep(Duration::from_secs(1)).await;
        }
        panic!("{when}, after {CONVERGES_WITHIN:?}: {last}");
    }

    async fn amiss(&mut self) -> Option<String> {
        let sockets = self.sockets();
        let asked = async {
            Ok::<_, tonic::Status>(Whole {
                servers: self.user.servers(&sockets).await?,
                deployments: self.user.list::<Deployment>(&sockets, false).await?,
                nodes: self.user.list::<Node>(&sockets, false).await?,
                pods: self.user.list::<Pod>(&sockets, false).await?,
                engines: self
                    .agents
                    .engines()
                    .into_iter()
                    .map(|(node, engine)| (node, engine.all()))
                    .collect(),
            })
        };
        match asked.await {
            Ok(whole) => {
                self.bindings.see(&whole.pods);
                whole.amiss(
                    &self.servers.addresses(),
                    &self.user.deployments,
                    &self.user.singles,
                )
            }
            Err(status) => Some(format!("no server answers: {}", status.message())),
        }
    }

    /// Eviction takes a bare pod for good: its owner, the user, makes it anew. What was asked for in vain is asked for again.
    async fn restore(&mut self) {
        let sockets = self.sockets();
        let Ok(pods) = self.user.list::<Pod>(&sockets, false).await else {
            return;
        };
        for name in SINGLES {
            let there = pods.iter().find(|pod| pod.metadata.name == name);
            match (self.user.singles.contains(name), there) {
                (true, None) => {
                    let wish = self.user.wish_single(name);
                    self.insist(async |user| user.apply(&sockets, wish).await).await;
                }
                (false, Some(pod)) if !pod.metadata.is_deleting() => {
                    self.insist(async |user| user.delete_pod(&sockets, name).await)
                        .await;
                }
                _ => {}
            }
        }
        let deployments = self.user.deployments.clone();
        for (name, replicas) in deployments {
            let wish = self.user.wish(&name, replicas, false);
            self.insist(async |user| user.apply(&sockets, wish).await).await;
        }
    }
}
