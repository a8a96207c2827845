//! `./dev bench`: skep beside its peers, in one run.
//!
//! `bench NAME... [--json] [--rounds N] [--agents N] [--objects N] [--nodes N] [--pods N]`; names: `deploy`, `endtoend`,
//! `failover`, `idle`, `scale`, `scheduler`, `standing`, `state`, `store`.

use std::process::ExitCode;

mod deploy;
mod endtoend;
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

const USAGE: &str =
    "usage: bench NAME... [--json] [--rounds N] [--agents N] [--objects N] [--nodes N] [--pods N]
  NAME: deploy, endtoend, failover, idle, scale, scheduler, standing, state, store
  --agents: of standing, 1000 where not stated
  --objects: of scale, 100000 where not stated
  --nodes, --pods: of endtoend, 5000 and 100000 where not stated";

/// Numbers that were asked for.
#[derive(Default)]
struct Numbers {
    rounds: Option<usize>,
    agents: Option<usize>,
    objects: Option<usize>,
    nodes: Option<usize>,
    pods: Option<usize>,
}

impl Numbers {
    /// Where the number of this option goes.
    fn slot(&mut self, option: &str) -> Option<&mut Option<usize>> {
        match option {
            "--rounds" => Some(&mut self.rounds),
            "--agents" => Some(&mut self.agents),
            "--objects" => Some(&mut self.objects),
            "--nodes" => Some(&mut self.nodes),
            "--pods" => Some(&mut self.pods),
            _ => None,
        }
    }
}

fn main() -> ExitCode {
    let mut report = Report::default();
    let mut numbers = Numbers::default();
    let mut names = Vec::new();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        if let Some(slot) = numbers.slot(&arg) {
            *slot = args.next().and_then(|count| count.parse().ok());
            if slot.is_none() {
                return usage(&format!("{arg} takes a number"));
            }
            continue;
        }
        match arg.as_str() {
            "--json" => report.json = true,
            "deploy" | "endtoend" | "failover" | "idle" | "scale" | "scheduler" | "standing" | "state"
            | "store" => {
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
            "deploy" => deploy::run(&mut report, numbers.rounds.unwrap_or(1)),
            "endtoend" => endtoend::run(&mut report, endtoend::Size::new(numbers.nodes, numbers.pods)),
            "failover" => failover::run(&mut report, numbers.rounds),
            "idle" => idle::run(&mut report),
            "scale" => scale::run(&mut report, numbers.objects),
            "scheduler" => scheduler::run(&mut report),
            "standing" => standing::run(&mut report, numbers.agents),
            "store" => store::run(&mut report, numbers.rounds),
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
