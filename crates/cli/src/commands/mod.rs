//! The commands, one file each: `XArgs` is what the command line may say, `run` does it and says the exit code.

pub(crate) mod agent;
pub(crate) mod annotate;
pub(crate) mod api_resources;
pub(crate) mod apply;
pub(crate) mod ca;
pub(crate) mod cluster_info;
pub(crate) mod completion;
pub(crate) mod config;
pub(crate) mod cordon;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod describe;
pub(crate) mod diff;
pub(crate) mod drain;
pub(crate) mod edit;
pub(crate) mod events;
pub(crate) mod exec;
pub(crate) mod explain;
pub(crate) mod get;
pub(crate) mod label;
mod live;
pub(crate) mod logs;
pub(crate) mod member;
pub(crate) mod patch;
pub(crate) mod plan;
pub(crate) mod rollout;
pub(crate) mod scale;
pub(crate) mod server;
pub(crate) mod set;
pub(crate) mod sim;
pub(crate) mod snapshot;
pub(crate) mod taint;
mod targets;
pub(crate) mod token;
pub(crate) mod up;
pub(crate) mod version;
pub(crate) mod wait;

use std::process::ExitCode;

use serde_json::Value;
use tonic::Status;

use crate::{
    cli::Command,
    context::Context,
    errors::InFile,
    output::{self, OutputFormat},
};

/// Runs the command.
///
/// # Errors
/// What ended it; `errors::exit_code` prints it.
pub(crate) async fn run(command: Command, ctx: &Context) -> anyhow::Result<ExitCode> {
    match command {
        Command::Agent(args) => agent::run(*args, ctx).await,
        Command::Annotate(args) => annotate::run(args, ctx).await,
        Command::ApiResources(args) => api_resources::run(args, ctx).await,
        Command::Apply(args) => apply::run(args, ctx).await,
        Command::Ca(args) => ca::run(args, ctx).await,
        Command::Cert(args) => ca::status(args, ctx).await,
        Command::ClusterInfo(args) => cluster_info::run(args, ctx).await,
        Command::Completion(args) => completion::run(args, ctx).await,
        Command::Config(args) => config::run(args, ctx).await,
        Command::Cordon(args) => cordon::run(args, ctx).await,
        Command::Create(args) => create::run(args, ctx).await,
        Command::Delete(args) => delete::run(args, ctx).await,
        Command::Describe(args) => describe::run(args, ctx).await,
        Command::Diff(args) => diff::run(args, ctx).await,
        Command::Drain(args) => drain::run(args, ctx).await,
        Command::Edit(args) => edit::run(args, ctx).await,
        Command::Events(args) => events::run(args, ctx).await,
        Command::Exec(args) => exec::run(args, ctx).await,
        Command::Explain(args) => explain::run(args, ctx).await,
        Command::Get(args) => get::run(*args, ctx).await,
        Command::Label(args) => label::run(args, label::Field::Labels, ctx).await,
        Command::Logs(args) => logs::run(*args, ctx).await,
        Command::Member(args) => member::run(args, ctx).await,
        Command::Patch(args) => patch::run(args, ctx).await,
        Command::Plan(args) => plan::run(args, ctx).await,
        Command::Rollout(args) => rollout::run(args, ctx).await,
        Command::Scale(args) => scale::run(args, ctx).await,
        Command::Server(args) => server::run(*args, ctx).await,
        Command::Set(args) => set::run(args, ctx).await,
        Command::Sim(args) => sim::run(&args),
        Command::Snapshot(args) => snapshot::run(args, ctx).await,
        Command::Token(args) => token::run(args, ctx).await,
        Command::Taint(args) => taint::run(args, ctx).await,
        Command::Uncordon(args) => cordon::run_uncordon(args, ctx).await,
        Command::Up(args) => up::run(*args, ctx).await,
        Command::Version(args) => version::run(args, ctx).await,
        Command::Wait(args) => wait::run(args, ctx).await,
    }
}

/// Shows what was written in the format that was asked for; one object stands for itself, several are a list.
fn show_written(format: Option<&OutputFormat>, mut objects: Vec<Value>) -> anyhow::Result<()> {
    let Some(format) = format else { return Ok(()) };
    let text = match &objects[..] {
        [] => return Ok(()),
        [_] => format.document(&objects.remove(0))?,
        _ => format.documents(objects, true)?,
    };
    output::write(&text)
}

/// What a server answered about the documents of a file.
fn about(origin: &str, status: Status) -> anyhow::Error {
    InFile {
        origin: origin.to_owned(),
        status,
    }
    .into()
}
