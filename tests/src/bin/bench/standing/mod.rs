//! What standing still costs: three servers with nothing to do, alone and with the sessions of many idle agents.

mod traffic;

use std::time::{Duration, Instant};

use skep_api::proto::InfoRequest;
use skep_tests::{SimAgents, SimOptions, eventually};
use tokio::runtime::Runtime;

use crate::{
    process::{cpu_seconds, resident_mib},
    report::{Report, Row},
    scale::Servers,
    store::runtime,
};
use traffic::Traffic;

/// Where no other number is asked for.
const AGENTS: usize = 1000;

const ALONE: Duration = Duration::from_secs(20);
const WATCHED: Duration = Duration::from_secs(60);

/// Nothing may be written for so long before standing still begins.
const QUIET: Duration = Duration::from_secs(6);
const QUIET_WITHIN: Duration = Duration::from_secs(300);

/// The bounds.
const CPU_ALONE: f64 = 1.0;
const CPU_PER_1000_AGENTS: f64 = 4.0;
const BYTES_PER_AGENT: f64 = 150.0;
const KIB_PER_SESSION: f64 = 100.0;

pub(crate) fn run(report: &mut Report, agents: Option<usize>) {
    let agents = agents.unwrap_or(AGENTS);
    let runtime = runtime();
    let servers = Servers::start(&runtime);
    eprintln!(
        "standing: three servers on loopback, alone for {} s, then {} s with {agents} agents of one process, each with a \
         certificate and a session of its own",
        ALONE.as_secs(),
        WATCHED.as_secs()
    );
    let mut bench = Bench { report, agents };
    wait_for_quiet(&runtime, &servers);
    let alone = Standing::watch(&runtime, &servers, ALONE);
    bench.add(
        "alone: processor time of one core, the busiest server",
        alone.cpu,
        CPU_ALONE,
        "%",
    );
    bench.add(
        "alone: bytes between servers",
        alone.between_servers,
        25_000.0,
        "B/s",
    );
    let before = resident(&servers);
    let (sims, took) = start_agents(&runtime, &servers, agents);
    #[expect(clippy::cast_precision_loss, reason = "counts of agents are small")]
    let count = agents as f64;
    bench.add(
        "agents: join and begin a session each",
        took / count * 1000.0,
        10.0,
        "ms",
    );
    wait_for_quiet(&runtime, &servers);
    let idle = Standing::watch(&runtime, &servers, WATCHED);
    assert_eq!(
        runtime.block_on(async { sims.stats().sessions }),
        agents,
        "every session still stands"
    );
    let grown = resident(&servers);
    let bound = CPU_ALONE + CPU_PER_1000_AGENTS * count / 1000.0;
    bench.add(
        "agents: processor time of one core, the busiest server",
        idle.cpu,
        bound,
        "%",
    );
    bench.add(
        "agents: bytes of each session, both ways",
        idle.with_clients / count,
        BYTES_PER_AGENT,
        "B/s",
    );
    bench.add(
        "agents: bytes between servers",
        idle.between_servers,
        25_000.0 + 50.0 * count,
        "B/s",
    );
    let per_session = (grown - before) * 1024.0 / count;
    bench.add(
        "agents: memory of each session and its node, all servers",
        per_session,
        KIB_PER_SESSION,
        "KiB",
    );
    bench.add_growth("agents: entries that the log has grown by", idle.revisions);
    bench.add_growth("agents: bytes that the logs have grown by", idle.log_bytes);
    runtime.block_on(sims.stop());
}

struct Bench<'a> {
    report: &'a mut Report,
    agents: usize,
}

impl Bench<'_> {
    fn add(&mut self, row: &str, ours: f64, bound: f64, unit: &'static str) {
        let row = row.replace("agents:", &format!("{} agents:", self.agents));
        self.report.add(Row {
            bench: "standing",
            row: format!("{row}, against the bound"),
            ours,
            peer: bound,
            unit,
            aim: 1.0,
        });
    }

    /// # Panics
    /// Where the log has grown: nobody has written anything.
    fn add_growth(&mut self, row: &str, grown: u64) {
        #[expect(clippy::cast_precision_loss, reason = "it is 0, or the benchmark fails")]
        self.add(row, grown as f64, 1.0, "");
        assert_eq!(grown, 0, "{row}");
    }
}

/// What servers cost over some time.
struct Standing {
    /// Of one core, in percent: the server with most.
    cpu: f64,
    /// A second, both ways.
    between_servers: f64,
    with_clients: f64,
    revisions: u64,
    log_bytes: u64,
}

impl Standing {
    fn watch(runtime: &Runtime, servers: &Servers, time: Duration) -> Self {
        let pids = servers.pids();
        let (revision, log_bytes) = (revision(runtime, servers), servers.log_bytes());
        let (cpu, traffic) = (pids.map(cpu_seconds), Traffic::now(&pids, servers.ports()));
        let start = Instant::now();
        runtime.block_on(async { tokio::time::sleep(time).await });
        let seconds = start.elapsed().as_secs_f64();
        let passed = Traffic::now(&pids, servers.ports()).since(&traffic);
        let cpu = pids
            .iter()
            .zip(cpu)
            .map(|(pid, before)| cpu_seconds(*pid) - before);
        Self {
            cpu: cpu.fold(0.0, f64::max) / seconds * 100.0,
            between_servers: passed.between_servers / seconds,
            with_clients: passed.with_clients / seconds,
            revisions: self::revision(runtime, servers) - revision,
            log_bytes: servers.log_bytes() - log_bytes,
        }
    }
}

fn start_agents(runtime: &Runtime, servers: &Servers, agents: usize) -> (SimAgents, f64) {
    let start = Instant::now();
    let token = servers.plane.token("agent");
    let started = SimAgents::start(&servers.plane.addresses, &token, agents, SimOptions::default());
    let sims = runtime.block_on(started).expect("every agent has a session");
    (sims, start.elapsed().as_secs_f64())
}

/// Waits until controllers have done what there was to do.
fn wait_for_quiet(runtime: &Runtime, servers: &Servers) {
    let mut last = (revision(runtime, servers), Instant::now());
    eventually("nothing is written any more", QUIET_WITHIN, || {
        let revision = revision(runtime, servers);
        if revision != last.0 {
            last = (revision, Instant::now());
        }
        (last.1.elapsed() > QUIET).then_some(())
    });
}

fn revision(runtime: &Runtime, servers: &Servers) -> u64 {
    let revisions = servers.clients.iter().map(|client| {
        let mut client = client.clone();
        runtime.block_on(async move {
            let info = client.info(InfoRequest {}).await.expect("the server answers");
            info.into_inner().revision
        })
    });
    revisions.max().unwrap_or(0)
}

fn resident(servers: &Servers) -> f64 {
    servers.pids().into_iter().map(resident_mib).sum()
}
