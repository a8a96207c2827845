//! `skep scale`: another number of pods.

use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use serde_json::{Value, json};
use skep_api::Kind;

use super::live;
use crate::{
    args::{ResourceId, Selection},
    context::Context,
    errors::Failures,
    output, reads,
};

/// What `skep scale` takes.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  skep scale --replicas=3 deployment/web
  skep scale --current-replicas=2 --replicas=3 deployment/web
  skep scale --replicas=0 deployments -l tier=batch")]
pub(crate) struct ScaleArgs {
    #[command(flatten)]
    selection: Selection,
    /// How many pods there should be
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(i32).range(0..))]
    replicas: i32,
    /// Only where there should be this many now
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(i32).range(0..))]
    current_replicas: Option<i32>,
}

/// Sets the number of pods of deployments and replica sets.
///
/// # Errors
/// Where no object is named or the server cannot be asked; failures with single objects are printed.
pub(crate) async fn run(args: ScaleArgs, ctx: &Context) -> anyhow::Result<ExitCode> {
    let mut failures = Failures::default();
    for id in args.selection.resolve(ctx).await? {
        if failures.keep(scale(&args, ctx, &id).await).is_some() {
            output::write(&format!("{id} scaled\n"))?;
        }
    }
    Ok(failures.exit_code())
}

async fn scale(args: &ScaleArgs, ctx: &Context, id: &ResourceId) -> anyhow::Result<()> {
    if !matches!(id.kind, Kind::Deployment | Kind::ReplicaSet) {
        bail!("cannot scale {id}: only deployments and replica sets have a number of replicas");
    }
    let mut patch = json!({ "spec": { "replicas": args.replicas } });
    if let Some(expected) = args.current_replicas {
        let live = reads::get(ctx, id).await?;
        check(&live, expected)?;
        // Whoever is quicker than this change makes it fail.
        patch["metadata"] = json!({ "resourceVersion": live["metadata"]["resourceVersion"] });
    }
    live::merge(ctx, id, "scale", patch).await?;
    Ok(())
}

fn check(live: &Value, expected: i32) -> anyhow::Result<()> {
    let current = live["spec"]["replicas"].as_i64().unwrap_or(1);
    if current != i64::from(expected) {
        bail!("expected replicas to be {expected}, was {current}");
    }
    Ok(())
}
