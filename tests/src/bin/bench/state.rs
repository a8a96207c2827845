//! The state machine alone: create, update and read an object. Runs `crates/state`'s own benchmark and adds its rows.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::report::{Report, Row};

pub(crate) fn run(report: &mut Report) {
    let output = Command::new(env!("CARGO"))
        .args([
            "bench",
            "--quiet",
            "--package",
            "skep-state",
            "--bench",
            "state",
            "--",
            "--json",
        ])
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "the state's benchmark failed");
    let text = String::from_utf8_lossy(&output.stdout);
    for line in text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
    {
        let number = |name: &str| line[name].as_f64().expect("a number in each row");
        report.add(Row {
            bench: "state",
            row: format!(
                "{} an object, against swarmkit's in-memory store",
                line["row"].as_str().unwrap_or("?")
            ),
            ours: number("ours"),
            peer: number("peer"),
            unit: "us",
            aim: 1.0,
        });
    }
}
