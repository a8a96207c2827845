//! The scheduler alone: workloads of many nodes and pods. Runs `crates/scheduler`'s own benchmark and adds its rows.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::report::{Report, Row};

pub(crate) fn run(report: &mut Report) {
    let output = Command::new(env!("CARGO"))
        .args([
            "bench",
            "--quiet",
            "--package",
            "skep-scheduler",
            "--bench",
            "scheduler",
            "--",
            "--json",
        ])
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "the scheduler's benchmark failed");
    let text = String::from_utf8_lossy(&output.stdout);
    for line in text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
    {
        let number = |name: &str| line[name].as_f64().expect("a number in each row");
        let unit = if line["unit"] == "MiB" { "MiB" } else { "s" };
        report.add(Row {
            bench: "scheduler",
            row: line["row"].as_str().unwrap_or("?").to_owned(),
            ours: number("ours"),
            peer: number("peer"),
            unit,
            aim: number("aim"),
        });
    }
}
