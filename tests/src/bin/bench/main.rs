//! `./dev bench`: skep beside its peers, in one run.
//!
//! `bench NAME... [--json] [--rounds N] [--agents N] [--objects N]`; names: `deploy`, `failover`, `idle`, `scale`, `scheduler`,
//! `standing`, `state`, `store`.

use std::process::ExitCode;

mod deploy;
mod failover;
mod idle;
mod process;
mod report;
mod scale;
mod scheduler;
mod standing;
mod state;
mod store;

use report::Report;

const USAGE: &str = "usage: bench NAME... [--json] [--rounds N] [--agents N] [--objects N]
  NAME: deploy, failover, idle, scale, scheduler, standing, state, store
  --agents: of standing, 1000 where not stated
  --objects: of scale, 100000 where not stated";

fn main() -> ExitCode {
    let mut report = Report::default();
    let mut rounds: Option<usize> = None;
    let (mut agents, mut objects) = (None, None);
    let mut names = Vec::new();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--json" => report.json = true,
            "--rounds" => match args.next().and_then(|count| count.parse().ok()) {
                Some(count) => rounds = Some(count),
                None => return usage("--rounds takes a number"),
            },
            "--agents" => match args.next().and_then(|count| count.parse().ok()) {
                Some(count) => agents = Some(count),
                None => return usage("--agents takes a number"),
            },
            "--objects" => match args.next().and_then(|count| count.parse().ok()) {
                Some(count) => objects = Some(count),
                None => return usage("--objects takes a number"),
            },
            "deploy" | "failover" | "idle" | "scale" | "scheduler" | "standing" | "state" | "store" => {
                names.push(arg);
            }
            other => return usage(&format!("no benchmark is called {other}")),
        }
    }
    if names.is_empty() {
        return usage("name at least one benchmark");
    }
    for name in names {
        match name.as_str() {
            "deploy" => deploy::run(&mut report, rounds.unwrap_or(1)),
            "failover" => failover::run(&mut report, rounds),
            "idle" => idle::run(&mut report),
            "scale" => scale::run(&mut report, objects),
            "scheduler" => scheduler::run(&mut report),
            "standing" => standing::run(&mut report, agents),
            "store" => store::run(&mut report, rounds),
            _ => state::run(&mut report),
        }
    }
    report.finish();
    ExitCode::SUCCESS
}

fn usage(problem: &str) -> ExitCode {
    eprintln!("bench: {problem}\n{USAGE}");
    ExitCode::from(2)
}
