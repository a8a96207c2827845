//! The commands, one file each: `XArgs` is what the command line may say, `run` does it and says the exit code.

pub(crate) mod api_resources;
pub(crate) mod config;

use std::process::ExitCode;

use crate::{cli::Command, context::Context};

/// Runs the command.
///
/// # Errors
/// What ended it; `errors::exit_code` prints it.
pub(crate) async fn run(command: Command, ctx: &Context) -> anyhow::Result<ExitCode> {
    match command {
        Command::ApiResources(args) => api_resources::run(args, ctx).await,
        Command::Config(args) => config::run(args, ctx).await,
    }
}
