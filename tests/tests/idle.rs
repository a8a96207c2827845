//! What a machine costs on which nothing runs yet.

use std::fs;

use skep_tests::Cluster;

/// Heap and stacks of a process, in MiB: what of its memory the kernel cannot take back.
fn own_mib(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"))
        .expect("memory of its own");
    let kib: f64 = line
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .expect("a number of KiB");
    kib / 1024.0
}

/// The agent's checkpoint alone once took 21 MiB: docs/decisions/0015-small-at-rest.md
#[test]
fn a_machine_on_which_nothing_runs_takes_little_memory_of_its_own() {
    let cluster = Cluster::start();
    let own = own_mib(cluster.pid());
    assert!(own < 16.0, "{own:.1} MiB of heap and stacks");
}
