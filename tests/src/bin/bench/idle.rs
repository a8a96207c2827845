//! What an idle `skep up` costs: memory, processor time, the binary's size, the time until it serves.

use std::{
    env, fs,
    time::{Duration, Instant},
};

use skep_tests::{Cluster, Engine, eventually};

use crate::{
    process::{cpu_seconds, resident_mib},
    report::{Report, Row},
};

const SETTLE: Duration = Duration::from_secs(5);
const WATCHED: Duration = Duration::from_secs(30);
const MIB: f64 = 1024.0 * 1024.0;

pub(crate) fn run(report: &mut Report) {
    let mut cluster = Cluster::prepare(Engine::shared());
    let start = Instant::now();
    cluster.up();
    eventually("the server serves", Duration::from_secs(30), || {
        (cluster.path("config").exists() && cluster.skep(&["get", "namespaces"]).code == 0).then_some(())
    });
    let ready_ms = start.elapsed().as_secs_f64() * 1000.0;
    cluster.wait_for_node();
    wait(SETTLE);
    let before = cpu_seconds(cluster.pid());
    wait(WATCHED);
    let share = (cpu_seconds(cluster.pid()) - before) / WATCHED.as_secs_f64() * 100.0;
    let mut add = |row: &str, ours: f64, bound: f64, unit: &'static str| {
        report.add(Row {
            bench: "idle",
            row: row.to_owned(),
            ours,
            peer: bound,
            unit,
            aim: 1.0,
        });
    };
    add(
        "resident memory, against the bound",
        resident_mib(cluster.pid()),
        30.0,
        "MiB",
    );
    add("processor time of one core, against the bound", share, 0.5, "%");
    add(
        "start on an empty folder until it answers, against the bound",
        ready_ms,
        300.0,
        "ms",
    );
    add("binary, against the bound", binary_mib(), 25.0, "MiB");
}

fn wait(duration: Duration) {
    let until = Instant::now() + duration;
    eventually("the time is over", duration * 2, || {
        (Instant::now() >= until).then_some(())
    });
}

fn binary_mib() -> f64 {
    let dir = env::current_exe().expect("its own path");
    let binary = dir.with_file_name("skep");
    fs::metadata(binary)
        .expect("skep is built beside the benchmark")
        .len() as f64
        / MIB
}
