//! `skep describe`: objects explained.

use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use skep_api::proto::GetRequest;

use crate::{
    args::{self, Query, ResourceId},
    context::Context,
    errors::{self, Failures},
    output,
    reads::{self, Listing},
};

/// What `skep describe` takes.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  skep describe pod web-0
  skep describe deployment/web node/node-1
  skep describe pods -l app=web
  skep describe pods web        (every pod whose name begins with web, where none is named so)")]
pub(crate) struct DescribeArgs {
    /// TYPE, TYPE NAME..., TYPE NAME_PREFIX or TYPE/NAME...
    #[arg(value_name = "RESOURCE", required = true)]
    words: Vec<String>,
    /// The labels to select by, such as app=web,tier!=db
    #[arg(short = 'l', long, value_name = "LABELS")]
    selector: Option<String>,
    /// In all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,
}

/// Explains objects, with an empty line between them.
///
/// # Errors
/// Where the words name nothing or the server cannot be asked; failures with single objects are printed.
pub(crate) async fn run(args: DescribeArgs, ctx: &Context) -> anyhow::Result<ExitCode> {
    let mut failures = Failures::default();
    let mut first = true;
    let queries = args::parse_words(&args.words)?;
    for query in queries {
        for id in ids(&args, ctx, &query, &mut failures).await? {
            let Some(text) = failures.keep(text(ctx, &id).await) else {
                continue;
            };
            output::write(&format!("{}{text}", if first { "" } else { "\n\n" }))?;
            first = false;
        }
    }
    Ok(failures.exit_code())
}

/// The server's words about an object.
///
/// # Errors
/// Where there is no such object, or the server cannot be asked.
pub(crate) async fn text(ctx: &Context, id: &ResourceId) -> anyhow::Result<String> {
    let request = GetRequest {
        r#ref: Some(id.to_ref()),
        stale_ok: false,
    };
    Ok(ctx.client().await?.describe(request).await?.into_inner().text)
}

async fn ids(
    args: &DescribeArgs,
    ctx: &Context,
    query: &Query,
    failures: &mut Failures,
) -> anyhow::Result<Vec<ResourceId>> {
    let namespace = if args.all_namespaces { "" } else { ctx.namespace() };
    if query.names.is_empty() {
        let found = list(args, ctx, query, namespace).await?;
        if found.is_empty() {
            let place = if namespace.is_empty() || !query.kind.namespaced() {
                String::new()
            } else {
                format!(" in {namespace} namespace")
            };
            eprintln!("No resources found{place}.");
        }
        return Ok(found);
    }
    if args.selector.is_some() {
        bail!("name cannot be provided when a selector is specified");
    }
    if args.all_namespaces && query.kind.namespaced() {
        bail!("a resource cannot be retrieved by name across all namespaces");
    }
    let mut ids = Vec::new();
    for name in &query.names {
        let found = failures.keep(named(args, ctx, query, namespace, name).await);
        ids.extend(found.unwrap_or_default());
    }
    Ok(ids)
}

/// The object of this name, else those whose names begin with it.
async fn named(
    args: &DescribeArgs,
    ctx: &Context,
    query: &Query,
    namespace: &str,
    name: &str,
) -> anyhow::Result<Vec<ResourceId>> {
    let id = ResourceId::new(query.kind, namespace, name);
    match reads::get(ctx, &id).await {
        Ok(_) => Ok(vec![id]),
        Err(error) if errors::is_not_found(&error) => {
            let mut found = list(args, ctx, query, namespace).await?;
            found.retain(|candidate| candidate.name.starts_with(name));
            if found.is_empty() { Err(error) } else { Ok(found) }
        }
        Err(error) => Err(error),
    }
}

async fn list(
    args: &DescribeArgs,
    ctx: &Context,
    query: &Query,
    namespace: &str,
) -> anyhow::Result<Vec<ResourceId>> {
    let label_selector = args.selector.clone().unwrap_or_default();
    let found = Listing {
        label_selector,
        ..Listing::new(query.kind, namespace)
    }
    .objects(ctx)
    .await?;
    Ok(found.iter().filter_map(ResourceId::of_document).collect())
}
