//! The whole way: Deployments are applied to a server with thousands of simulated agents, until every pod runs.

mod delays;
mod server;
mod workload;

use std::time::{Duration, Instant};

use skep_tests::{SimAgents, SimOptions};
use tokio::runtime::Runtime;

use crate::{
    process::{cpu_seconds, resident_mib},
    report::{Report, Row},
    store::runtime,
};
use delays::{Delays, quantile};
use server::Server;
use workload::Workload;

/// Where no other numbers are asked for.
const NODES: usize = 5_000;
const PODS: usize = 100_000;

/// Pods a second: what is aimed at, and what others have published or were seen to do.
const AIM: f64 = 10_000.0;
const PEERS: [(&str, f64); 2] = [
    ("Nomad on large servers, as published", 1_500.0),
    ("Kubernetes 1.20 on two processors, as seen", 200.0),
];

const PROGRESS_EVERY: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(100);
const RUNNING_WITHIN: Duration = Duration::from_secs(900);

/// How large a run is.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    nodes: usize,
    pods: usize,
}

impl Size {
    pub(crate) fn new(nodes: Option<usize>, pods: Option<usize>) -> Self {
        Self {
            nodes: nodes.unwrap_or(NODES).max(1),
            pods: pods.unwrap_or(PODS).max(1),
        }
    }
}

pub(crate) fn run(report: &mut Report, size: Size) {
    let runtime = runtime();
    let server = Server::start(&runtime);
    let workload = Workload::of(size.pods);
    let started = Instant::now();
    let sims = agents(&runtime, &server, size);
    server.wait_for_quiet(&runtime);
    eprintln!(
        "endtoend: one server that syncs its log, {} simulated agents of one process with a session over mutual TLS each \
         (they took {:.0} s to join); {} pods of {} deployments; a watch follows the pods of every tenth",
        size.nodes,
        started.elapsed().as_secs_f64(),
        workload.pods(),
        workload.deployments(),
    );
    let seen = measure(&runtime, &server, &sims, &workload);
    add_rows(report, size, &seen);
    runtime.block_on(sims.stop());
}

fn agents(runtime: &Runtime, server: &Server, size: Size) -> SimAgents {
    let options = SimOptions {
        pods_max: u32::try_from(size.pods.div_ceil(size.nodes) * 4)
            .unwrap_or(u32::MAX)
            .max(110),
        ..SimOptions::default()
    };
    let token = server.plane.token("agent");
    let started = SimAgents::start(&server.plane.addresses, &token, size.nodes, options);
    runtime.block_on(started).expect("every agent has a session")
}

/// What came of a run.
struct Seen {
    pods: f64,
    /// From the first word of the client until the server says that all run.
    seconds: f64,
    delays: Delays,
    server_cpu: f64,
    /// Of the simulated agents and the client.
    agents_cpu: f64,
    server_mib: f64,
    log_mib: f64,
}

fn measure(runtime: &Runtime, server: &Server, sims: &SimAgents, workload: &Workload) -> Seen {
    let watch = Delays::watch(runtime, server.client(runtime));
    let own = std::process::id();
    let (server_cpu, agents_cpu) = (cpu_seconds(server.pid()), cpu_seconds(own));
    let (mut log, mut client) = (server.log(), server.client(runtime));
    let start = Instant::now();
    runtime.block_on(workload.apply(&client));
    let mut told = Instant::now();
    loop {
        let (running, bytes) = (workload.running(runtime, &mut client), log.grown());
        if running == workload.pods() {
            break;
        }
        assert!(
            start.elapsed() < RUNNING_WITHIN,
            "{running} of {} pods run: {:?}",
            workload.pods(),
            sims.stats()
        );
        if told.elapsed() > PROGRESS_EVERY {
            told = Instant::now();
            eprintln!(
                "endtoend: {:3.0} s: {running} run, {} were started by agents; server {:.1} s of processor time, {:.0} MiB; \
                 log {:.0} MiB",
                start.elapsed().as_secs_f64(),
                sims.stats().pods_started,
                cpu_seconds(server.pid()) - server_cpu,
                resident_mib(server.pid()),
                mib(bytes),
            );
        }
        runtime.block_on(async { tokio::time::sleep(LOOK_EVERY).await });
    }
    let seconds = start.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "counts of pods are small")]
    let pods = workload.pods() as f64;
    Seen {
        pods,
        seconds,
        delays: watch.finish(runtime, workload.watched()),
        server_cpu: cpu_seconds(server.pid()) - server_cpu,
        agents_cpu: cpu_seconds(own) - agents_cpu,
        server_mib: resident_mib(server.pid()),
        log_mib: mib(log.grown()),
    }
}

#[expect(clippy::cast_precision_loss, reason = "sizes of files are small")]
fn mib(bytes: u64) -> f64 {
    bytes as f64 / 1024.0 / 1024.0
}

fn add_rows(report: &mut Report, size: Size, seen: &Seen) {
    let what = format!("{} nodes, {} pods", size.nodes, seen.pods);
    let row = |name: &str, ours: f64, peer: f64, unit: &'static str| Row {
        bench: "endtoend",
        row: format!("{what}: {name}"),
        ours,
        peer,
        unit,
        aim: 1.0,
    };
    let rate = seen.pods / seen.seconds;
    report.add_at_least(row("running, against the aim", rate, AIM, "/s"));
    for (peer, figure) in PEERS {
        report.add_at_least(row(&format!("running, against {peer}"), rate, figure, "/s"));
    }
    for (name, times) in [
        ("created to bound", &seen.delays.bound),
        ("created to running", &seen.delays.running),
        ("bound to running", &seen.delays.started),
    ] {
        for (which, share) in [("p50", 0.5), ("p99", 0.99)] {
            let name = format!("{name}, {which}, against all pods at the aimed pace");
            report.add(row(&name, quantile(times, share), seen.pods / AIM, "s"));
        }
    }
    // A server that keeps the aimed pace on one processor of two has so much time for them.
    let budget = seen.pods / AIM;
    report.add(row(
        "processor time of the server, against one processor's",
        seen.server_cpu,
        budget,
        "s",
    ));
    report.add(row(
        "processor time of agents and client, against one processor's",
        seen.agents_cpu,
        budget,
        "s",
    ));
    report.add(row(
        "resident memory of the server, against 16 KiB a pod",
        seen.server_mib,
        seen.pods / 64.0,
        "MiB",
    ));
    report.add(row(
        "the log has grown, against 8 KiB a pod",
        seen.log_mib,
        seen.pods / 128.0,
        "MiB",
    ));
}
