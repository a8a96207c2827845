//! `skep cordon` and `skep uncordon`: whether a node takes new pods.

use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use serde_json::json;
use skep_api::Kind;

use super::live;
use crate::{
    args::{self, ResourceId},
    context::Context,
    errors::Failures,
    output,
    reads::Listing,
};

/// What `skep cordon` and `skep uncordon` take.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  skep cordon node-1
  skep uncordon -l rack=7

Pods that run on a cordoned node go on running; new ones are placed elsewhere.")]
pub(crate) struct CordonArgs {
    /// Names of nodes
    #[arg(value_name = "NODE")]
    nodes: Vec<String>,
    /// The labels to select nodes by
    #[arg(short = 'l', long, value_name = "LABELS")]
    selector: Option<String>,
}

/// Keeps new pods away from nodes.
///
/// # Errors
/// Where no node is named or the server cannot be asked; failures with single nodes are printed.
pub(crate) async fn run(args: CordonArgs, ctx: &Context) -> anyhow::Result<ExitCode> {
    set(&args, ctx, true).await
}

/// Lets nodes take new pods again.
///
/// # Errors
/// As [`run`].
pub(crate) async fn run_uncordon(args: CordonArgs, ctx: &Context) -> anyhow::Result<ExitCode> {
    set(&args, ctx, false).await
}

async fn set(args: &CordonArgs, ctx: &Context, cordoned: bool) -> anyhow::Result<ExitCode> {
    let done = if cordoned { "cordoned" } else { "uncordoned" };
    let wish = if cordoned { json!(true) } else { json!(null) };
    let mut failures = Failures::default();
    for id in chosen(args.selector.as_deref(), &args.nodes, ctx).await? {
        let patch = json!({ "spec": { "unschedulable": wish } });
        if let Some(changed) = failures.keep(live::merge(ctx, &id, "", patch).await) {
            output::write(&format!("{id} {}{done}\n", if changed { "" } else { "already " }))?;
        }
    }
    Ok(failures.exit_code())
}

/// The nodes that are named, or those with these labels.
///
/// # Errors
/// Where none is named, both are, or the server cannot be asked.
pub(super) async fn chosen(
    selector: Option<&str>,
    nodes: &[String],
    ctx: &Context,
) -> anyhow::Result<Vec<ResourceId>> {
    match (selector, nodes.is_empty()) {
        (Some(_), false) => bail!("cannot specify both a node name and a --selector option"),
        (None, true) => bail!("name the node, or select nodes with -l"),
        (Some(selector), true) => {
            let listing = Listing {
                label_selector: selector.to_owned(),
                ..Listing::new(Kind::Node, "")
            };
            let found = listing.objects(ctx).await?;
            Ok(found.iter().filter_map(ResourceId::of_document).collect())
        }
        (None, false) => nodes.iter().map(|node| node_id(node)).collect(),
    }
}

/// `a` or `node/a`.
fn node_id(word: &str) -> anyhow::Result<ResourceId> {
    match args::parse_target(word, Kind::Node)? {
        (Kind::Node, name) => Ok(ResourceId::new(Kind::Node, "", name)),
        (kind, _) => bail!(
            "{}/{} is no node",
            kind.singular(),
            word.split_once('/').map_or(word, |(_, name)| name)
        ),
    }
}
