//! `skep apply`: makes objects as documents describe them.

use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use skep_api::{
    convert::struct_from_value,
    proto::{ApplyPlanRequest, ApplyRequest, WriteResult},
};

use crate::{
    context::Context,
    errors::Failures,
    manifests::{Document, FileArgs},
    output::{self, OutputArgs},
    writes::{DryRun, DryRunArgs, ValidateArgs, Written, write_options},
};

/// What `skep apply` takes.
#[derive(Args, Debug)]
pub(crate) struct ApplyArgs {
    #[command(flatten)]
    files: FileArgs,
    #[command(flatten)]
    dry_run: DryRunArgs,
    #[command(flatten)]
    validate: ValidateArgs,
    /// Go through, with all documents in one go, only if the plan of this revision still holds (skep plan)
    #[arg(long, value_name = "REVISION")]
    check_revision: Option<String>,
    #[command(flatten)]
    output: OutputArgs,
}

/// Applies every document, goes on after a failure, and tells what became of each.
///
/// # Errors
/// Where no file is given or the server cannot be reached at all; other failures are printed and make the exit code 1.
pub(crate) async fn run(args: ApplyArgs, ctx: &Context) -> anyhow::Result<ExitCode> {
    if args.files.is_empty() {
        bail!("must specify -f, such as -f app.yaml");
    }
    let mut failures = Failures::default();
    let documents = args.files.load(ctx, &mut failures);
    if documents.is_empty() && !failures.any() {
        bail!("no objects passed to apply");
    }
    ctx.client().await?;
    let planned = match &args.check_revision {
        Some(_) if failures.any() => return Ok(failures.exit_code()),
        Some(revision) => Some(apply_plan(ctx, &documents, revision, &args).await?),
        None => None,
    };
    let mut planned = planned.map(Vec::into_iter);
    let mut shown = Vec::new();
    for document in &documents {
        let written = match &mut planned {
            Some(written) => written.next(),
            None => failures.keep(apply(ctx, document, &args).await),
        };
        let Some(written) = written else {
            continue;
        };
        if args.output.output.is_none() {
            let id = written.id_or(&document.id);
            output::write(&format!(
                "{id} {}{}\n",
                word(written.result),
                args.dry_run.dry_run
            ))?;
        } else {
            shown.push(written.object);
        }
    }
    super::show_written(args.output.output.as_ref(), shown)?;
    Ok(failures.exit_code())
}

/// A client-side dry run asks the server all the same, for only it can tell whether anything would change; but it shows the document as given.
async fn apply(ctx: &Context, document: &Document, args: &ApplyArgs) -> anyhow::Result<Written> {
    let request = ApplyRequest {
        object: struct_from_value(document.value.clone()),
        options: Some(write_options(args.validate.validate, args.dry_run.dry_run)),
    };
    let response = ctx.client().await?.apply(request).await;
    let response = response.map_err(|status| super::about(&document.origin, status))?;
    let mut written = Written::from_response(response.into_inner());
    if args.dry_run.dry_run == DryRun::Client {
        written.object = document.value.clone();
    }
    Ok(written)
}

/// All documents in one go, where the plan still holds.
async fn apply_plan(
    ctx: &Context,
    documents: &[Document],
    revision: &str,
    args: &ApplyArgs,
) -> anyhow::Result<Vec<Written>> {
    let objects = documents
        .iter()
        .filter_map(|document| struct_from_value(document.value.clone()));
    let request = ApplyPlanRequest {
        objects: objects.collect(),
        options: Some(write_options(args.validate.validate, args.dry_run.dry_run)),
        revision: revision.to_owned(),
    };
    let response = ctx.client().await?.apply_plan(request).await?.into_inner();
    Ok(response.written.into_iter().map(Written::from_response).collect())
}

/// `created`, `configured` or `unchanged`.
fn word(result: WriteResult) -> &'static str {
    match result {
        WriteResult::Created => "created",
        WriteResult::Configured => "configured",
        WriteResult::Unchanged => "unchanged",
        WriteResult::Unspecified => "applied",
    }
}
