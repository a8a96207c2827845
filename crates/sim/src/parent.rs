//! Runs many seeds, each in a process of its own, and tells how they went.

use std::{
    collections::VecDeque,
    io::{IsTerminal, Write},
    path::{Path, PathBuf},
    process::{Command, ExitCode, Output},
    sync::{Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

use crate::{Args, Layer};

/// One simulation.
struct Run {
    layer: Layer,
    seed: u64,
}

/// How it went.
struct Ended {
    run: Run,
    output: Output,
    took: Duration,
}

/// Runs what the arguments say; fails where a seed does.
pub(crate) fn run(args: &Args) -> ExitCode {
    let runs = runs(args);
    let (count, began) = (runs.len(), Instant::now());
    let jobs = args
        .jobs
        .or_else(|| thread::available_parallelism().ok().map(Into::into));
    let runs = Mutex::new(runs);
    let (sender, results) = mpsc::channel();
    let mut failed = Vec::new();
    thread::scope(|scope| {
        for _ in 0..jobs.unwrap_or(1).clamp(1, count.max(1)) {
            let (runs, sender) = (&runs, sender.clone());
            scope.spawn(move || {
                while let Some(run) = next(runs) {
                    // Nobody listens any more where the simulator was told to end.
                    sender.send(simulate(run, args)).ok();
                }
            });
        }
        drop(sender);
        for (done, ended) in results.iter().enumerate() {
            tell(&ended, args);
            if !ended.output.status.success() {
                failed.push(format!(
                    "--layer {} --seed {}",
                    ended.run.layer.name(),
                    ended.run.seed
                ));
            }
            progress(done + 1, count, failed.len());
        }
    });
    println!(
        "{count} simulations in {:.1} s, {} failed",
        began.elapsed().as_secs_f64(),
        failed.len()
    );
    for seed in &failed {
        println!("  again: ./dev sim {seed}");
    }
    if failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn runs(args: &Args) -> VecDeque<Run> {
    let seeds = match args.seed {
        Some(seed) => seed..seed + 1,
        None => args.from..args.from + args.seeds,
    };
    let layers = || {
        Layer::ALL
            .into_iter()
            .filter(|layer| args.layer.is_none_or(|only| only == *layer))
    };
    seeds
        .flat_map(|seed| layers().map(move |layer| Run { layer, seed }))
        .collect()
}

fn next(runs: &Mutex<VecDeque<Run>>) -> Option<Run> {
    runs.lock().unwrap().pop_front()
}

fn simulate(run: Run, args: &Args) -> Ended {
    let began = Instant::now();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([
        "--child",
        "--layer",
        run.layer.name(),
        "--seed",
        &run.seed.to_string(),
    ]);
    if let Some(fault) = args.mutate {
        command.args(["--mutate", &fault.name()]);
    }
    if args.lag {
        command.arg("--lag");
    }
    if let Some(path) = &args.trace {
        command
            .arg("--trace")
            .arg(trace_of(&run, path, args.seed.is_some() && args.layer.is_some()));
    }
    let output = command.output().unwrap();
    Ended {
        run,
        output,
        took: began.elapsed(),
    }
}

/// One simulation's trace is a file, those of several are files in a folder.
fn trace_of(run: &Run, path: &Path, alone: bool) -> PathBuf {
    if alone {
        return path.to_owned();
    }
    std::fs::create_dir_all(path).unwrap();
    path.join(format!("{}-{}", run.layer.name(), run.seed))
}

fn tell(ended: &Ended, args: &Args) {
    let Ended { run, output, took } = ended;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut lines = text.lines();
    let first = lines.next().unwrap_or("it ended without a word");
    clear_progress();
    println!(
        "{:<7} seed {:<5} {:>5.1} s: {first}",
        run.layer.name(),
        run.seed,
        took.as_secs_f64()
    );
    if !output.status.success() {
        lines.for_each(|line| println!("    {line}"));
        String::from_utf8_lossy(&output.stderr)
            .lines()
            .for_each(|line| println!("    {line}"));
    } else if args.seed.is_some() {
        lines.for_each(|line| println!("    {line}"));
    }
}

fn progress(done: usize, of: usize, failed: usize) {
    if std::io::stderr().is_terminal() && done < of {
        eprint!("\r{done} of {of}, {failed} failed ");
        std::io::stderr().flush().ok();
    }
}

fn clear_progress() {
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[K");
    }
}
