//! `skep get`: objects as tables or documents, once or as they change.

mod plan;
mod sort;
mod tables;
mod watch;

use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use serde_json::Value;

use crate::{
    context::Context,
    errors::{self, Failures},
    manifests::FileArgs,
    output::{self, JsonPath, OutputArgs, OutputFormat},
    reads,
};
use plan::{Part, plan};
use sort::SortKey;

/// What `skep get` takes.
#[derive(Args, Debug)]
pub(crate) struct GetArgs {
    /// TYPE, TYPE NAME..., TYPE/NAME..., TYPE1,TYPE2 or all
    #[arg(value_name = "RESOURCE")]
    words: Vec<String>,
    #[command(flatten)]
    files: FileArgs,
    #[command(flatten)]
    output: OutputArgs,
    /// The labels to select by, such as app=web,tier!=db
    #[arg(short = 'l', long, value_name = "LABELS")]
    selector: Option<String>,
    /// The fields to select by, such as status.phase=Running
    #[arg(long, value_name = "FIELDS")]
    field_selector: Option<String>,
    /// Objects of all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// Go on and show what changes
    #[arg(short, long)]
    watch: bool,
    /// Show only what changes from now on
    #[arg(long)]
    watch_only: bool,
    /// Show with -w what sort of change each line is
    #[arg(long)]
    output_watch_events: bool,
    /// Sort by a field, such as .metadata.creationTimestamp
    #[arg(long, value_name = "PATH", value_parser = parse_path)]
    sort_by: Option<JsonPath>,
    /// Show all labels in a last column
    #[arg(long)]
    show_labels: bool,
    /// Show these labels in columns of their own
    #[arg(short = 'L', long, value_name = "LABEL", value_delimiter = ',')]
    label_columns: Vec<String>,
    /// Put the type in front of each name
    #[arg(long)]
    show_kind: bool,
    /// Leave out the line of headings
    #[arg(long)]
    no_headers: bool,
    /// Nothing found is no error
    #[arg(long)]
    ignore_not_found: bool,
}

fn parse_path(text: &str) -> Result<JsonPath, String> {
    JsonPath::parse_relaxed(text).map_err(|error| error.to_string())
}

impl GetArgs {
    /// The format, where documents are asked for and not a table.
    fn document_format(&self) -> Option<&OutputFormat> {
        self.output
            .output
            .as_ref()
            .filter(|format| **format != OutputFormat::Wide)
    }

    fn sort_key(&self) -> Option<SortKey<'_>> {
        self.sort_by.as_ref().map(SortKey)
    }
}

/// Shows objects, and with `-w` their changes until it is ended.
///
/// # Errors
/// Where the words name no resources or the server cannot be asked; objects not found are printed and make the exit code 1.
pub(crate) async fn run(args: GetArgs, ctx: &Context) -> anyhow::Result<ExitCode> {
    let parts = plan(&args, ctx)?;
    if args.watch || args.watch_only {
        let [part] = &parts[..] else {
            bail!("you may only specify a single resource type with --watch")
        };
        return watch::run(&args, part, ctx).await;
    }
    match args.document_format() {
        Some(format) => documents(&args, format, &parts, ctx).await,
        None => tables::run(&args, &parts, ctx).await,
    }
}

async fn documents(
    args: &GetArgs,
    format: &OutputFormat,
    parts: &[Part],
    ctx: &Context,
) -> anyhow::Result<ExitCode> {
    let mut failures = Failures::default();
    let single = matches!(parts, [part] if part.names.len() == 1);
    let mut objects = Vec::new();
    for part in parts {
        for object in part_objects(part, ctx).await {
            match object {
                Err(error) if args.ignore_not_found && errors::is_not_found(&error) => {}
                object => objects.extend(failures.keep(object)),
            }
        }
    }
    if let Some(key) = args.sort_key() {
        key.sort(&mut objects)?;
    }
    // One object that is not there leaves nothing to show; an empty list is shown as such.
    if objects.is_empty() && (single || failures.any()) {
        return Ok(failures.exit_code());
    }
    let text = match (single, objects.pop()) {
        (true, Some(object)) if !matches!(format, OutputFormat::CustomColumns(_)) => {
            format.document(&object)?
        }
        (_, last) => {
            objects.extend(last);
            format.documents(objects, !args.no_headers)?
        }
    };
    output::write(&text)?;
    Ok(failures.exit_code())
}

async fn part_objects(part: &Part, ctx: &Context) -> Vec<anyhow::Result<Value>> {
    if part.names.is_empty() {
        return match part.listing.objects(ctx).await {
            Ok(objects) => objects.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        };
    }
    let mut objects = Vec::new();
    for id in part.ids() {
        objects.push(reads::get(ctx, &id).await);
    }
    objects
}
