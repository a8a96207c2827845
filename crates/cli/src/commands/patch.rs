//! `skep patch`: changes parts of an object.

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use serde_json::Value;
use skep_api::{
    convert::proto_from_value,
    proto::{PatchRequest, WriteResult, patch_request},
};

use crate::{
    args::{ResourceId, Selection},
    context::Context,
    errors::Failures,
    manifests,
    output::{self, OutputArgs},
    writes::{DryRun, DryRunArgs, Validate, Written, write_options},
};

/// What `skep patch` takes.
#[derive(Args, Debug)]
pub(crate) struct PatchArgs {
    #[command(flatten)]
    selection: Selection,
    /// The patch, as JSON or YAML
    #[arg(
        short,
        long,
        value_name = "PATCH",
        required_unless_present = "patch_file",
        conflicts_with = "patch_file"
    )]
    patch: Option<String>,
    /// A file with the patch
    #[arg(long, value_name = "FILE")]
    patch_file: Option<PathBuf>,
    /// How the patch is meant
    #[arg(long, value_enum, default_value_t)]
    r#type: PatchType,
    /// The part of the object to change: scale
    #[arg(long, value_parser = ["scale"], hide_possible_values = true)]
    subresource: Option<String>,
    #[command(flatten)]
    dry_run: DryRunArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// How a patch is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum PatchType {
    /// Lists of named things are merged by name.
    #[default]
    Strategic,
    /// RFC 7386: lists are replaced.
    Merge,
    /// RFC 6902: a list of operations.
    Json,
}

impl From<PatchType> for patch_request::Type {
    fn from(patch: PatchType) -> Self {
        match patch {
            PatchType::Strategic => Self::StrategicMerge,
            PatchType::Merge => Self::Merge,
            PatchType::Json => Self::Json,
        }
    }
}

/// Patches each object that is named.
///
/// # Errors
/// Where the patch cannot be read or the words name no objects; what fails for one object is printed and makes the exit code 1.
pub(crate) async fn run(args: PatchArgs, ctx: &Context) -> anyhow::Result<ExitCode> {
    if args.dry_run.dry_run == DryRun::Client {
        bail!("only the server can apply a patch: use --dry-run=server");
    }
    let patch = read(&args)?;
    let ids = args.selection.resolve(ctx).await?;
    let mut failures = Failures::default();
    let mut shown = Vec::new();
    for id in &ids {
        let Some(written) = failures.keep(patch_one(&args, id, &patch, ctx).await) else {
            continue;
        };
        if args.output.output.is_some() {
            shown.push(written.object);
            continue;
        }
        let note = if written.result == WriteResult::Unchanged {
            " (no change)"
        } else {
            ""
        };
        output::write(&format!("{id} patched{note}{}\n", args.dry_run.dry_run))?;
    }
    super::show_written(args.output.output.as_ref(), shown)?;
    Ok(failures.exit_code())
}

async fn patch_one(
    args: &PatchArgs,
    id: &ResourceId,
    patch: &Value,
    ctx: &Context,
) -> anyhow::Result<Written> {
    let request = PatchRequest {
        r#ref: Some(id.to_ref()),
        r#type: patch_request::Type::from(args.r#type).into(),
        patch: Some(proto_from_value(patch.clone())),
        subresource: args.subresource.clone().unwrap_or_default(),
        options: Some(write_options(Validate::Strict, args.dry_run.dry_run)),
    };
    Ok(Written::from_response(
        ctx.client().await?.patch(request).await?.into_inner(),
    ))
}

fn read(args: &PatchArgs) -> anyhow::Result<Value> {
    let patch = match (&args.patch, &args.patch_file) {
        (Some(text), _) => manifests::parse_one("the patch", text)?,
        (None, Some(file)) => {
            let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
            manifests::parse_one(&file.display().to_string(), &text)?
        }
        (None, None) => bail!("must specify -p to patch"),
    };
    match (args.r#type, &patch) {
        (PatchType::Json, Value::Array(_)) | (PatchType::Strategic | PatchType::Merge, Value::Object(_)) => {
            Ok(patch)
        }
        (PatchType::Json, _) => bail!(
            "a patch of --type=json is a list of operations, such as [{{\"op\": \"remove\", \"path\": \"/spec/paused\"}}]"
        ),
        _ => bail!("the patch is no mapping, such as {{\"spec\": {{\"paused\": true}}}}"),
    }
}
