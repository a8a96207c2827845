//! `skep rollout`: how a deployment goes from one revision to the next.

mod history;
mod pause;
mod restart;
mod revisions;
mod status;
mod undo;

use std::process::ExitCode;

use anyhow::bail;
use clap::{Args, Subcommand};
use skep_api::Kind;

use crate::{
    args::{ResourceId, Selection},
    context::Context,
    errors::Failures,
};

/// What `skep rollout` takes.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  skep rollout status deployment/web
  skep rollout history deployment/web --revision=3
  skep rollout undo deployment/web --to-revision=2
  skep rollout restart deployment/web
  skep rollout pause deployment/web")]
pub(crate) struct RolloutArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Wait until a rollout is finished, and say why where it is not
    Status(status::StatusArgs),
    /// Show the revisions that can be gone back to
    History(history::HistoryArgs),
    /// Go back to an earlier revision
    Undo(undo::UndoArgs),
    /// Replace all pods by new ones, within the bounds of the strategy
    Restart(Selection),
    /// Hold changes of the template back
    Pause(Selection),
    /// Go on after a pause
    Resume(Selection),
}

/// Does one of the actions on deployments.
///
/// # Errors
/// Where no deployment is named or the server cannot be asked; failures with single deployments are printed.
pub(crate) async fn run(args: RolloutArgs, ctx: &Context) -> anyhow::Result<ExitCode> {
    match args.action {
        Action::Status(args) => status::run(&args, ctx).await,
        Action::History(args) => history::run(&args, ctx).await,
        Action::Undo(args) => undo::run(&args, ctx).await,
        Action::Restart(selection) => each(&selection, ctx, restart::restart).await,
        Action::Pause(selection) => each(&selection, ctx, pause::pause).await,
        Action::Resume(selection) => each(&selection, ctx, pause::resume).await,
    }
}

/// Does something with each deployment selected; goes on after failures.
async fn each(
    selection: &Selection,
    ctx: &Context,
    action: impl AsyncFn(&Context, &ResourceId) -> anyhow::Result<()>,
) -> anyhow::Result<ExitCode> {
    let mut failures = Failures::default();
    for id in deployments(selection, ctx).await? {
        failures.keep(action(ctx, &id).await);
    }
    Ok(failures.exit_code())
}

/// The deployments selected.
async fn deployments(selection: &Selection, ctx: &Context) -> anyhow::Result<Vec<ResourceId>> {
    let ids = selection.resolve(ctx).await?;
    match ids.iter().find(|id| id.kind != Kind::Deployment) {
        Some(id) => bail!("{id} has no rollouts, only deployments have"),
        None => Ok(ids),
    }
}
