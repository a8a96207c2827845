//! Whole clusters in simulated time. All that happens follows from a seed: when it fails, it fails again.

#![expect(clippy::unwrap_used, reason = "a simulation that fails says where")]

mod child;
mod cluster;
mod files;
mod hermetic;
mod luck;
mod mutant;
mod net;
mod parent;
mod store;
mod trace;
mod world;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, ValueEnum};

use mutant::Mutant;

/// Clusters under random misfortune, in simulated time. What happens follows from a seed.
#[derive(Debug, Parser)]
struct Args {
    /// Run seeds 1 to N
    #[arg(long, value_name = "N", default_value_t = 8, conflicts_with = "seed")]
    seeds: u64,
    /// Begin with this seed rather than 1
    #[arg(long, value_name = "SEED", default_value_t = 1, conflicts_with = "seed")]
    from: u64,
    /// Run this seed alone, and print what happened where it fails
    #[arg(long, value_name = "SEED")]
    seed: Option<u64>,
    /// Run this layer alone
    #[arg(long, value_enum)]
    layer: Option<Layer>,
    /// Simulations at a time [default: one for each CPU]
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Write down all that happens, each line with its simulated time; with several seeds, into a folder
    #[arg(long, value_name = "PATH")]
    trace: Option<PathBuf>,
    /// Put in a fault that an invariant has to notice: for the proof that it does
    #[arg(long, value_enum, value_name = "FAULT", hide = true)]
    mutate: Option<Mutant>,
    /// Hold up all threads that are no part of a simulation, now and then, as a busy machine does: nothing may depend on them
    #[arg(long)]
    lag: bool,
    /// Run in this process: what the simulator starts for each seed
    #[arg(long, hide = true, requires = "seed", requires = "layer")]
    child: bool,
}

/// What is simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Layer {
    /// Three to five stores, clients and watchers
    Store,
    /// Three servers and a few nodes, with pods
    Cluster,
}

impl Layer {
    const ALL: [Self; 2] = [Self::Store, Self::Cluster];

    fn name(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::Cluster => "cluster",
        }
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    match (args.child, args.layer, args.seed) {
        (true, Some(layer), Some(seed)) => {
            args.mutate.inspect(|fault| fault.choose());
            if args.lag {
                hermetic::lag();
            }
            child::run(layer, seed, args.trace.as_deref())
        }
        _ => parent::run(&args),
    }
}
