//! `./dev bench`: skep beside its peers, in one run.
//!
//! `bench NAME... [--json] [--rounds N]`; names: `deploy`, `idle`, `scheduler`, `state`.

use std::process::ExitCode;

mod deploy;
mod idle;
mod report;
mod scheduler;
mod state;

use report::Report;

const USAGE: &str = "usage: bench NAME... [--json] [--rounds N]\n  NAME: deploy, idle, scheduler, state";

fn main() -> ExitCode {
    let mut report = Report::default();
    let mut rounds = 1;
    let mut names = Vec::new();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--json" => report.json = true,
            "--rounds" => match args.next().and_then(|count| count.parse().ok()) {
                Some(count) => rounds = count,
                None => return usage("--rounds takes a number"),
            },
            "deploy" | "idle" | "scheduler" | "state" => names.push(arg),
            other => return usage(&format!("no benchmark is called {other}")),
        }
    }
    if names.is_empty() {
        return usage("name at least one benchmark");
    }
    for name in names {
        match name.as_str() {
            "deploy" => deploy::run(&mut report, rounds),
            "idle" => idle::run(&mut report),
            "scheduler" => scheduler::run(&mut report),
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
