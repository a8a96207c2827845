//! `skep create`: a new object from a file or from flags.

mod data;
mod deployment;
mod secret;

use std::process::ExitCode;

use anyhow::bail;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use skep_api::{convert::struct_from_value, proto::CreateRequest};

use crate::{
    args::ResourceId,
    context::Context,
    errors::Failures,
    manifests::FileArgs,
    output::{self, OutputArgs},
    writes::{DryRun, DryRunArgs, ValidateArgs, Written, write_options},
};
use data::DataArgs;
use deployment::DeploymentArgs;
use secret::SecretArgs;

/// What `skep create` takes.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct CreateArgs {
    #[command(flatten)]
    files: FileArgs,
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    what: Option<What>,
}

/// What all ways to create have in common.
#[derive(Args, Clone, Debug, Default)]
struct Common {
    #[command(flatten)]
    dry_run: DryRunArgs,
    #[command(flatten)]
    validate: ValidateArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, Subcommand)]
enum What {
    /// A namespace
    #[command(visible_alias = "ns")]
    Namespace {
        /// Its name
        name: String,
        #[command(flatten)]
        common: Common,
    },
    /// A config map from texts and files
    #[command(visible_alias = "cm")]
    Configmap {
        #[command(flatten)]
        data: DataArgs,
        #[command(flatten)]
        common: Common,
    },
    /// A secret from texts and files, or for an image registry
    Secret {
        #[command(subcommand)]
        secret: SecretArgs,
        #[command(flatten)]
        common: Common,
    },
    /// A deployment of an image
    #[command(visible_alias = "deploy")]
    Deployment {
        #[command(flatten)]
        deployment: DeploymentArgs,
        #[command(flatten)]
        common: Common,
    },
}

impl What {
    /// The document, without namespace, and how to create it.
    fn document(self) -> anyhow::Result<(Value, Common)> {
        Ok(match self {
            Self::Namespace { name, common } => (
                json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } }),
                common,
            ),
            Self::Configmap { data, common } => (data.config_map()?, common),
            Self::Secret { secret, common } => (secret.document()?, common),
            Self::Deployment { deployment, common } => (deployment.document()?, common),
        })
    }
}

/// Creates one object from flags, or all that the files hold.
///
/// # Errors
/// Where flags make no object or the server cannot be asked; what fails for one document is printed and makes the exit code 1.
pub(crate) async fn run(args: CreateArgs, ctx: &Context) -> anyhow::Result<ExitCode> {
    match args.what {
        Some(what) => of_flags(what, ctx).await,
        None if args.files.is_empty() => {
            bail!("must specify -f, such as -f app.yaml, or what to create: see `skep create --help`")
        }
        None => of_files(&args.files, &args.common, ctx).await,
    }
}

async fn of_flags(what: What, ctx: &Context) -> anyhow::Result<ExitCode> {
    let (mut document, common) = what.document()?;
    let namespaced = document["kind"] != "Namespace";
    // A document that is only shown may be meant for any namespace.
    if namespaced && (common.dry_run.dry_run != DryRun::Client || ctx.namespace_is_given()) {
        document["metadata"]["namespace"] = ctx.namespace().into();
    }
    let id = ResourceId::of_document(&document).expect("documents of flags are of known kinds");
    let created = create(&id, document, &common, ctx).await?;
    show(&common, created.into_iter().collect())?;
    Ok(ExitCode::SUCCESS)
}

async fn of_files(files: &FileArgs, common: &Common, ctx: &Context) -> anyhow::Result<ExitCode> {
    let mut failures = Failures::default();
    let documents = files.load(ctx, &mut failures);
    if documents.is_empty() && !failures.any() {
        bail!("no objects passed to create");
    }
    let mut shown = Vec::new();
    for document in documents {
        let created = create(&document.id, document.value, common, ctx).await;
        let created = created.map_err(|error| match error.downcast() {
            Ok(status) => super::about(&document.origin, status),
            Err(error) => error,
        });
        shown.extend(failures.keep(created).flatten());
    }
    show(common, shown)?;
    Ok(failures.exit_code())
}

/// Creates one object and says so, or gives it where it is to be shown.
async fn create(
    id: &ResourceId,
    document: Value,
    common: &Common,
    ctx: &Context,
) -> anyhow::Result<Option<Value>> {
    let dry_run = common.dry_run.dry_run;
    let (id, object) = if dry_run == DryRun::Client {
        (id.clone(), document)
    } else {
        let request = CreateRequest {
            object: struct_from_value(document),
            options: Some(write_options(common.validate.validate, dry_run)),
        };
        let written = Written::from_response(ctx.client().await?.create(request).await?.into_inner());
        (written.id_or(id), written.object)
    };
    if common.output.output.is_some() {
        return Ok(Some(object));
    }
    output::write(&format!("{id} created{dry_run}\n"))?;
    Ok(None)
}

fn show(common: &Common, objects: Vec<Value>) -> anyhow::Result<()> {
    super::show_written(common.output.output.as_ref(), objects)
}
