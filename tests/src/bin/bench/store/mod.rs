//! The store under load: three servers of skep beside three members of etcd.

mod client;
mod cluster;
mod etcd;
mod fan;
mod lean;
mod load;
pub(crate) mod wire;

use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::{
    process::{cpu_seconds, resident_mib},
    report::{Report, Row},
};
pub(crate) use client::Client;
pub(crate) use cluster::{Cluster, SERVERS, admin};
pub(crate) use etcd::Etcd;
use load::{Spread, Work};

const CLIENTS: [(usize, f64); 3] = [(1, 1.3), (64, 3.0), (512, 3.0)];
const TIME: Duration = Duration::from_secs(4);
const WARM_UP: Duration = Duration::from_secs(1);
const MIB: &str = "MiB";

/// The same figures of both, one after the other.
type Pair = [f64; 2];

pub(crate) fn run(report: &mut Report, rounds: Option<usize>) {
    let runtime = load_runtime();
    let clusters = [Cluster::skep(), Cluster::etcd()];
    eprintln!(
        "store: three servers each on loopback, TLS 1.3 with client and server certificates between all, every write on a \
         majority's disks before it is acknowledged; the same client for both (gRPC on one thread, one connection for 64 \
         clients, 256-byte values, {} objects that are replaced over and over), rounds in turn",
        load::OBJECTS
    );
    for cluster in &clusters {
        cluster.leader(&runtime);
        runtime.block_on(load::fill(cluster));
        let spread = Spread::All;
        runtime.block_on(load::rate(cluster, Work::Write, 64, spread, WARM_UP));
    }
    let rounds = rounds.unwrap_or(3);
    for (clients, aim) in CLIENTS {
        writes(report, &runtime, &clusters, clients, aim, rounds);
    }
    reads(report, &runtime, &clusters, rounds);
    memory(report, &clusters);
    watchers(report, &runtime, &clusters, rounds);
}

/// A runtime for clients, the same for all.
pub(crate) fn runtime() -> Runtime {
    skep_trust::install_crypto();
    Runtime::new().expect("a runtime")
}

/// A runtime for those who make load: of one thread, which leaves the processors to the servers.
fn load_runtime() -> Runtime {
    skep_trust::install_crypto();
    Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime")
}

fn writes(
    report: &mut Report,
    runtime: &Runtime,
    clusters: &[Cluster; 2],
    clients: usize,
    aim: f64,
    rounds: usize,
) {
    let plural = if clients == 1 { "client" } else { "clients" };
    for (where_to, to_leader) in [("the leader", true), ("all servers", false)] {
        let mut cpu = [Vec::new(), Vec::new()];
        let mut client_cpu = [Vec::new(), Vec::new()];
        let rates = medians(rounds, |index| {
            let cluster = &clusters[index];
            let (leader, _) = cluster.leader(runtime);
            let spread = if to_leader {
                Spread::Leader(leader)
            } else {
                Spread::All
            };
            let before = [cpu_of(cluster), cpu_seconds(std::process::id())];
            let rate = runtime.block_on(load::rate(cluster, Work::Write, clients, spread, TIME));
            let after = [cpu_of(cluster), cpu_seconds(std::process::id())];
            let for_each = |of: usize| (after[of] - before[of]) / (rate * TIME.as_secs_f64()) * 1e6;
            cpu[index].push(for_each(0));
            client_cpu[index].push(for_each(1));
            rate
        });
        let row = format!("writes a second, {clients} {plural} at {where_to}, against etcd");
        report.add_at_least(pair(row, rates, "/s", aim));
        for (whose, cpu) in [("servers'", cpu), ("client's", client_cpu)] {
            let cpu = cpu.map(|mut cpu| median(&mut cpu));
            let row = format!("the same: {whose} processor time for each write");
            report.add(pair(row, cpu, "us", 1.0));
        }
    }
}

fn reads(report: &mut Report, runtime: &Runtime, clusters: &[Cluster; 2], rounds: usize) {
    let rates = medians(rounds, |index| {
        runtime.block_on(load::rate(&clusters[index], Work::Read, 64, Spread::All, TIME))
    });
    let row = "linearizable reads a second, 64 clients at all servers, against etcd".to_owned();
    report.add_at_least(pair(row, rates, "/s", 1.0));
}

fn watchers(report: &mut Report, runtime: &Runtime, clusters: &[Cluster; 2], rounds: usize) {
    let mut late = [Vec::new(), Vec::new()];
    let middle = medians(rounds, |index| {
        let delays = runtime.block_on(fan::delays(&clusters[index]));
        late[index].push(delays[delays.len() * 99 / 100]);
        delays[delays.len() / 2]
    });
    let late = late.map(|mut late| median(&mut late));
    let row = |part: &str| format!("1000 watchers of an object, delay {part}, against etcd");
    report.add(pair(row("p50"), middle, "ms", 1.0));
    report.add(pair(row("p99"), late, "ms", 1.0));
}

fn memory(report: &mut Report, clusters: &[Cluster; 2]) {
    let largest = |cluster: &Cluster| {
        let sizes = (0..SERVERS).map(|server| resident_mib(cluster.pid(server)));
        sizes.fold(0.0, f64::max)
    };
    let sizes = [largest(&clusters[0]), largest(&clusters[1])];
    let row = "resident memory after the load, the largest of three, against etcd".to_owned();
    report.add(pair(row, sizes, MIB, 1.0 / 3.0));
}

fn cpu_of(cluster: &Cluster) -> f64 {
    (0..SERVERS).map(|server| cpu_seconds(cluster.pid(server))).sum()
}

/// Measures both in turn, so many times.
fn medians(rounds: usize, mut measure: impl FnMut(usize) -> f64) -> Pair {
    let mut figures = [Vec::new(), Vec::new()];
    for _ in 0..rounds.max(1) {
        for (index, figures) in figures.iter_mut().enumerate() {
            figures.push(measure(index));
        }
    }
    figures.map(|mut figures| median(&mut figures))
}

/// The middle one.
pub(crate) fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn pair(row: String, [ours, peer]: Pair, unit: &'static str, aim: f64) -> Row {
    Row {
        bench: "store",
        row,
        ours,
        peer,
        unit,
        aim,
    }
}
