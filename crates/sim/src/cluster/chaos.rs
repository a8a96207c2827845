//! Makes misfortune happen to servers, machines and wires, and mends it.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::{Instant, sleep};

use super::Cluster;
use crate::{luck, trace::note};

/// What is down, and what was done.
#[derive(Default)]
pub(super) struct Chaos {
    servers_down: Vec<String>,
    agents_down: Vec<String>,
    /// A server has got another address. Only one does: whoever was away meanwhile finds the others where they were.
    moved: bool,
    did: BTreeMap<&'static str, u32>,
}

impl Chaos {
    /// One misfortune after the other, while the user goes on wanting things.
    pub(super) async fn rage(&mut self, cluster: &mut Cluster, duration: Duration) {
        let end = Instant::now() + duration;
        while Instant::now() < end {
            let what = self.strike(cluster).await;
            note!("chaos: {what}");
            *self.did.entry(what).or_default() += 1;
            cluster.look().await;
            // Some follow close upon each other; some leave time for a node to be given up.
            let pause = match luck::range(0..6) {
                0..3 => 200..2000,
                3..5 => 2000..8000,
                _ => 20_000..80_000,
            };
            sleep(Duration::from_millis(luck::range(pause))).await;
        }
    }

    async fn strike(&mut self, cluster: &mut Cluster) -> &'static str {
        match luck::range(0..100) {
            0..10 => self.crash_server(cluster),
            10..14 => self.stop_server(cluster).await,
            14..30 => self.start_server(cluster),
            30..38 => self.crash_agent(cluster),
            38..50 => self.start_agent(cluster).await,
            50..58 => cut_servers(cluster),
            58..66 => cut_agent(cluster),
            66..78 => heal(cluster),
            78..82 => slow_down(cluster),
            82..85 => transfer(cluster).await,
            85..92 => cluster.change_deployment().await,
            92..96 => add_agent(cluster).await,
            _ => cluster.change_single().await,
        }
    }

    /// Mends everything.
    pub(super) async fn calm(&mut self, cluster: &mut Cluster) {
        note!("chaos is over");
        cluster.wires.heal();
        cluster.wires.set_delay(100..500);
        while self.start_server(cluster) != "nothing" {}
        while self.start_agent(cluster).await != "nothing" {}
    }

    /// What was done.
    pub(super) fn told(&self) -> String {
        let did: Vec<String> = self
            .did
            .iter()
            .map(|(what, times)| format!("{times} {what}"))
            .collect();
        did.join(", ")
    }

    fn crash_server(&mut self, cluster: &mut Cluster) -> &'static str {
        let Some(victim) = self.a_server_to_miss(cluster) else {
            return "nothing";
        };
        let silently = luck::permille(500);
        cluster.servers.crash(&victim, silently);
        self.servers_down.push(victim);
        if silently {
            "server without power"
        } else {
            "killed server"
        }
    }

    async fn stop_server(&mut self, cluster: &mut Cluster) -> &'static str {
        let Some(victim) = self.a_server_to_miss(cluster) else {
            return "nothing";
        };
        cluster.servers.stop(&victim).await;
        self.servers_down.push(victim);
        "stopped server"
    }

    /// Most of the time a majority stays up.
    fn a_server_to_miss(&self, cluster: &Cluster) -> Option<String> {
        let bearable = cluster.servers.all().len().div_ceil(2) - 1;
        let allowed = if luck::permille(100) {
            bearable + 1
        } else {
            bearable
        };
        (self.servers_down.len() < allowed)
            .then(|| luck::choose(&cluster.servers.up()))
            .flatten()
    }

    fn start_server(&mut self, cluster: &mut Cluster) -> &'static str {
        let Some(name) = self.servers_down.pop() else {
            return "nothing";
        };
        if !self.moved && luck::permille(150) {
            self.moved = true;
            cluster.servers.relocate(&name);
            cluster.servers.start(&name);
            return "start server elsewhere";
        }
        cluster.servers.start(&name);
        "start server"
    }

    fn crash_agent(&mut self, cluster: &mut Cluster) -> &'static str {
        let Some(victim) = luck::choose(&cluster.agents.up()) else {
            return "nothing";
        };
        let power = luck::permille(400);
        cluster.agents.crash(&victim, power);
        self.agents_down.push(victim);
        if power {
            "node without power"
        } else {
            "killed agent"
        }
    }

    async fn start_agent(&mut self, cluster: &mut Cluster) -> &'static str {
        let Some(name) = self.agents_down.pop() else {
            return "nothing";
        };
        cluster.agents.run(&name).await;
        "start agent"
    }
}

fn cut_servers(cluster: &Cluster) -> &'static str {
    let all = cluster.servers.all();
    let Some(one) = luck::choose(&all) else {
        return "nothing";
    };
    let others: Vec<String> = all.into_iter().filter(|name| *name != one).collect();
    let cut = match luck::choose(&others) {
        Some(other) if luck::permille(400) => vec![other],
        _ => others,
    };
    note!("{one} is cut off from {cut:?}");
    cut.iter().for_each(|other| cluster.wires.cut(&one, other));
    "cut server"
}

/// A node loses sight of one server, or of all.
fn cut_agent(cluster: &Cluster) -> &'static str {
    let Some(node) = luck::choose(&cluster.agents.all()) else {
        return "nothing";
    };
    let servers = cluster.servers.all();
    let cut = match luck::choose(&servers) {
        Some(server) if luck::permille(300) => vec![server],
        _ => servers,
    };
    note!("{node} is cut off from {cut:?}");
    cut.iter().for_each(|server| cluster.wires.cut(&node, server));
    "cut node"
}

async fn add_agent(cluster: &mut Cluster) -> &'static str {
    if cluster.agents.add().await {
        "new node"
    } else {
        "nothing"
    }
}

fn heal(cluster: &Cluster) -> &'static str {
    cluster.wires.heal();
    "heal"
}

fn slow_down(cluster: &Cluster) -> &'static str {
    let delay = luck::choose(&[100..500, 100..500, 1000..8000, 5000..60_000]).unwrap_or(100..500);
    cluster.wires.set_delay(delay);
    "other delays"
}

async fn transfer(cluster: &Cluster) -> &'static str {
    if let Some(to) = luck::choose(&cluster.servers.all())
        && let Err(status) = cluster.user.transfer(&cluster.sockets(), &to).await
    {
        note!("no transfer: {}", status.message());
    }
    "transfer"
}
