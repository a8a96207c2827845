//! Three servers with 100,000 objects: start-up, memory, snapshots beside writes, lists, and a server that joins.

mod fill;
mod objects;
mod peer;
mod servers;
mod snapshots;

use std::time::{Duration, Instant};

use skep_tests::Loopback;
use tokio::runtime::Runtime;

use crate::{
    process::resident_mib,
    report::{Report, Row},
    store::{SERVERS, runtime},
};
use peer::Peer;
pub(crate) use servers::{Cluster, POD_CIDR, Servers, bytes_below, client};

/// Where no other number is asked for.
const OBJECTS: usize = 100_000;

/// The bounds.
const START_SECONDS: f64 = 3.0;
const MEMORY_MIB: f64 = 1.2 * 1024.0;
const P99_RATIO: f64 = 2.0;

const MIB: f64 = 1024.0 * 1024.0;

/// Memory is looked at when writers have come to rest.
const SETTLE: Duration = Duration::from_secs(5);

pub(crate) fn run(report: &mut Report, objects: Option<usize>) {
    let objects = objects.unwrap_or(OBJECTS);
    let runtime = runtime();
    let mut bench = Bench { report };
    eprintln!(
        "scale: three servers each on loopback, {objects} objects: of ten, four running pods, three config maps, two secrets \
         and an old replica set; the same documents in etcd, without the pods' statuses"
    );
    let mut servers = Servers::start(&runtime);
    let (sims, filled) = fill::fill(&runtime, &servers, objects);
    let ours = measure(&mut bench, &runtime, &mut servers, objects);
    runtime.block_on(sims.stop());
    drop(servers);
    let (mut peer, peer_filled) = Peer::fill(&runtime, (0..objects).map(objects::object));
    runtime.block_on(async { tokio::time::sleep(SETTLE).await });
    let memory = (0..SERVERS).map(|member| resident_mib(peer.etcd.pid(member)));
    let memory = memory.fold(0.0, f64::max);
    bench.add(
        "filling, pods run in ours, against etcd",
        filled,
        peer_filled,
        "s",
        3.0,
    );
    bench.add(
        "resident memory, the largest of three, against etcd",
        ours.memory,
        memory,
        "MiB",
        1.0,
    );
    bench.add(
        "list of all in pages of 500, against etcd",
        ours.list,
        peer.list(&runtime),
        "s",
        3.0,
    );
    bench.add(
        "start of a follower, against etcd",
        ours.start,
        peer.restart(&runtime, 1),
        "s",
        1.0,
    );
    let disk = bytes_below(peer.etcd.dir()) as f64 / MIB;
    bench.add(
        "log and snapshots of all on disk, against etcd",
        ours.disk,
        disk,
        "MiB",
        1.0,
    );
}

/// What etcd is measured for as well.
struct Ours {
    memory: f64,
    list: f64,
    start: f64,
    disk: f64,
}

fn measure(bench: &mut Bench<'_>, runtime: &Runtime, servers: &mut Servers, objects: usize) -> Ours {
    runtime.block_on(async { tokio::time::sleep(SETTLE).await });
    let memory = bench.memory("after filling", servers);
    let leader = servers.leader(runtime);
    let follower = (leader + 1) % SERVERS;
    let (count, list) = fill::list(runtime, servers, follower);
    assert!(
        count >= objects,
        "{count} objects are listed, {objects} were made"
    );
    let latencies = snapshots::measure(runtime, servers);
    eprintln!(
        "scale: {} writes, {} of them during snapshots of at most {:.1} s; the slowest took {:.0} ms",
        latencies.writes, latencies.writes_during, latencies.snapshot_seconds, latencies.worst
    );
    let row = "p99 of writes during snapshots, against that without";
    bench.add(row, latencies.during, latencies.without, "ms", P99_RATIO);
    bench.memory("after snapshots", servers);
    let disk = (servers.log_bytes() + servers.snapshot_bytes()) as f64 / MIB;
    bench.add(
        "snapshots on disk, a server, against the bound",
        servers.snapshot_bytes() as f64 / MIB / 3.0,
        1024.0,
        "MiB",
        1.0,
    );
    let revision = servers
        .info(runtime, leader)
        .expect("the leader answers")
        .revision;
    runtime.block_on(async { tokio::time::sleep(SETTLE).await });
    let start = servers.restart(runtime, follower, revision);
    bench.add(
        "start of a follower until it has all, against the bound",
        start,
        START_SECONDS,
        "s",
        1.0,
    );
    bench.memory("after a start", servers);
    let begun = Instant::now();
    servers.plane.add_server(&Loopback, &[]);
    servers.plane.wait_for_voters(SERVERS + 1);
    let joined = begun.elapsed().as_secs_f64();
    bench.add(
        "a fresh server joins and votes, against the bound",
        joined,
        10.0,
        "s",
        1.0,
    );
    Ours {
        memory,
        list,
        start,
        disk,
    }
}

struct Bench<'a> {
    report: &'a mut Report,
}

impl Bench<'_> {
    fn add(&mut self, row: &str, ours: f64, peer: f64, unit: &'static str, aim: f64) {
        self.report.add(Row {
            bench: "scale",
            row: row.to_owned(),
            ours,
            peer,
            unit,
            aim,
        });
    }

    fn memory(&mut self, when: &str, servers: &Servers) -> f64 {
        let sizes = servers.pids().map(resident_mib);
        let largest = sizes.into_iter().fold(0.0, f64::max);
        let row = format!("resident memory {when}, the largest of three, against the bound");
        self.add(&row, largest, MEMORY_MIB, "MiB", 1.0);
        largest
    }
}
