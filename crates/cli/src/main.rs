//! The `skep` binary: one machine up, and the client commands.

mod args;
mod cli;
mod commands;
mod config;
mod context;
mod errors;
mod flags;
mod manifests;
mod node_args;
mod output;
mod passphrase;
mod policy_args;
mod reads;
mod retry;
mod target;
mod up;
mod watch;
mod writes;

use std::{pin::Pin, process::ExitCode};

use cli::{Cli, Command};
use context::Context;
use skep_api::duration;

/// Servers make and let go of objects by the thousand: the C library's allocator takes a quarter of their time for it.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Half the usual stack is plenty for a thread of the daemon.
const DAEMON_STACK_BYTES: usize = 1 << 20;

fn main() -> ExitCode {
    skep_trust::install_crypto();
    let cli = match Cli::from_args() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let outcome = runtime(&cli.command)
        .map_err(anyhow::Error::from)
        .and_then(|runtime| {
            let outcome = runtime.block_on(boxed(cli));
            // A read of standard input that nobody waits for any more must not hold up the end.
            runtime.shutdown_background();
            outcome
        });
    outcome.unwrap_or_else(|error| errors::exit_code(&error))
}

/// Client commands make do with one thread; `up` gets a few, for server and agent.
fn runtime(command: &Command) -> std::io::Result<tokio::runtime::Runtime> {
    let mut builder = match command {
        command if command.is_daemon() => {
            let mut builder = tokio::runtime::Builder::new_multi_thread();
            builder
                .worker_threads(daemon_threads())
                .thread_stack_size(DAEMON_STACK_BYTES);
            builder
        }
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    builder.enable_all().build()
}

/// Half the processors are for the pods; more threads than a server can keep busy cost it time, as they wake each other up.
fn daemon_threads() -> usize {
    let processors = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    (processors / 2).clamp(1, 4)
}

/// All commands behind one pointer: the runtime has several ways to drive a future, and would hold all commands once for each.
fn boxed(cli: Cli) -> Pin<Box<dyn Future<Output = anyhow::Result<ExitCode>>>> {
    Box::pin(run(cli))
}

async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    if !cli.command.is_daemon() {
        cli.globals.log_to_stderr();
    }
    let ctx = Context::new(cli.globals)?;
    commands::run(cli.command, &ctx).await
}

/// Help and version go to standard output and are no error; anything else is one, with kubectl's exit code.
fn usage(error: &clap::Error) -> ExitCode {
    match error.print() {
        Ok(()) if !error.use_stderr() => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}
