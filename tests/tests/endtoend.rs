//! The benchmark of the whole way, at a size that tells whether it works and not how fast it is.

use std::process::Command;

use serde_json::Value;

#[test]
fn every_pod_of_the_benchmark_runs_and_is_told_of() {
    let output = Command::new(env!("CARGO_BIN_EXE_bench"))
        .args(["endtoend", "--nodes", "5", "--pods", "60", "--json"])
        .output()
        .expect("the benchmark is built");
    let (rows, told) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{told}");
    let figures: Vec<Value> = rows
        .lines()
        .map(|row| serde_json::from_str(row).expect("a row is an object"))
        .collect();
    let figure = |name: &str| {
        let mut rows = figures.iter();
        let row = rows.find(|row| row["row"].as_str().is_some_and(|row| row.contains(name)));
        row.and_then(|row| row["ours"].as_f64())
            .unwrap_or_else(|| panic!("no {name} in {figures:?}"))
    };
    assert!(figure("running, against the aim") > 0.0);
    let (bound, running) = (figure("created to bound, p99"), figure("created to running, p99"));
    assert!(
        bound <= running,
        "bound after {bound} s, running after {running} s"
    );
}
