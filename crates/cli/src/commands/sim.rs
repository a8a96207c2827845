//! `skep sim`: a whole cluster under simulated time.

use std::{
    fs,
    io::{self, IsTerminal, Read, Write},
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use clap::Args;
use skep_api::duration;
use skep_simulator::{Scenario, Simulation, Span};

use crate::output::{self, json, yaml};

/// What `skep sim` takes.
#[derive(Args, Debug)]
#[command(
    long_about = "\
Play a cluster under simulated time.

The scheduler and the controllers are the real ones; the nodes only pretend: their pods start and stop after a while. A
scenario says which nodes there are, what is deployed on them and what goes wrong when. The same scenario and seed give the
same report, on any machine. No cluster is asked and nothing is changed anywhere.

A scenario is a YAML file. Its first document is the scenario; the documents after it, and those of the other files, are
deployed when it begins:

  apiVersion: skep.io/v1
  kind: Scenario
  title: what it shows
  duration: 10m               # how much time is simulated
  seed: 1                     # where chance begins
  timing: { write: 5ms, start: 2s, stop: 1s, heartbeat: 10s }
  policy:                     # like the flags of `skep server`
    { scoring: Spread, rebalance: false, rebalancePerMinute: 6, rebalanceAtOnce: 2 }
  nodes:
    - name: general           # general-1, general-2, ...
      count: 6
      pool: general
      zones: [a, b, c]
      resources: { cpu: \"4\", memory: 16Gi, nvidia.com/gpu: \"1\" }
      labels: {}
      taints: []
  steps:                      # each has a time and one thing that happens
    - { at: 1m, fail: { names: [general-1] } }     # also: { labels: {...}, any: 2 }
    - { at: 3m, recover: { names: [general-1] } }
    - { at: 4m, scale: { of: deployment/web, replicas: 9 } }
    - { at: 5m, apply: [ { apiVersion: v1, kind: Pod, ... } ] }
    - { at: 6m, delete: [ deployment/web ] }       # or deployment/NAMESPACE/NAME
    - { at: 7m, join: { name: extra, count: 2, resources: { cpu: \"4\", memory: 16Gi } } }
    - { at: 8m, cordon: { names: [general-2] } }   # also uncordon, remove

A pod's annotations sim.skep.io/start and sim.skep.io/runs-for say how long it takes to start, and how long it runs before
it has succeeded.",
    after_help = "\
Examples:
  skep sim examples/sim/edge.yaml
  skep sim examples/sim/edge.yaml --seed 7 --timeline
  # What would happen if a node of this cluster were lost
  skep get nodes,deployments -A -o yaml > live.yaml
  skep sim lost-node.yaml live.yaml -o json"
)]
pub(crate) struct SimArgs {
    /// The scenario, or - for standard input; further files are deployed when it begins
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    /// Where chance begins, in place of the scenario's own seed
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// How much time to simulate, in place of what the scenario says
    #[arg(long = "for", value_name = "DURATION", value_parser = duration::parse)]
    length: Option<Duration>,
    /// Show what happened, line by line, before the report
    #[arg(long)]
    timeline: bool,
    /// How to show the report: json or yaml
    #[arg(short, long, value_parser = ["json", "yaml"], hide_possible_values = true, value_name = "FORMAT")]
    output: Option<String>,
}

/// Plays the scenario and shows how it ended.
///
/// # Errors
/// Where a file cannot be read, the scenario is wrong, or one of its steps cannot be carried out.
pub(crate) fn run(args: &SimArgs) -> anyhow::Result<ExitCode> {
    let mut files = args.files.iter();
    let first = files.next().context("name a scenario")?;
    let mut scenario = Scenario::read(&text(first)?).with_context(|| first.clone())?;
    for file in files {
        scenario.deploy(&text(file)?, file)?;
    }
    if let Some(length) = args.length {
        scenario.duration = Span(length);
    }
    let end = scenario.duration.0;
    let mut simulation = Simulation::new(scenario, args.seed).with_context(|| first.clone())?;
    let mut progress = Progress::new(end);
    let played = simulation.run(|now| progress.show(now));
    progress.clear();
    played.with_context(|| first.clone())?;
    let report = simulation.report();
    let shown = match args.output.as_deref() {
        Some("json") => json(&serde_json::to_value(&report)?)?,
        Some(_) => yaml(&serde_json::to_value(&report)?)?,
        None => {
            let mut shown = String::new();
            if args.timeline {
                simulation.timeline().for_each(|line| shown += &(line + "\n"));
                shown += "\n";
            }
            shown + &report.to_string()
        }
    };
    output::write(&shown)?;
    Ok(ExitCode::SUCCESS)
}

fn text(file: &str) -> anyhow::Result<String> {
    if file == "-" {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).context("standard input")?;
        return Ok(text);
    }
    fs::read_to_string(file).with_context(|| format!("{file} cannot be read"))
}

/// Between two lines that say how far a simulation is, where nobody looks at a terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// How far the simulation is: in one line of a terminal that changes, elsewhere in a line now and then.
struct Progress {
    end: Duration,
    terminal: bool,
    shown: Option<u128>,
    told_at: Instant,
}

impl Progress {
    fn new(end: Duration) -> Self {
        Self {
            end,
            terminal: io::stderr().is_terminal(),
            shown: None,
            told_at: Instant::now(),
        }
    }

    fn show(&mut self, now: Duration) {
        let percent = now.as_millis() * 100 / self.end.as_millis().max(1);
        let is_news = self.shown != Some(percent);
        if !is_news || !self.terminal && self.told_at.elapsed() < LINE_EVERY {
            return;
        }
        self.shown = Some(percent);
        self.told_at = Instant::now();
        let (now, end) = (duration::human(now), duration::human(self.end));
        let (before, after) = if self.terminal {
            ("\r\x1b[K", "")
        } else {
            ("", "\n")
        };
        // Where the terminal is gone, nobody misses it.
        write!(
            io::stderr(),
            "{before}simulated {now} of {end} ({percent} %){after}"
        )
        .ok();
    }

    fn clear(&self) {
        if self.shown.is_some() && self.terminal {
            write!(io::stderr(), "\r\x1b[K").ok();
        }
    }
}
