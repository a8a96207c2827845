//! What commands that write have in common: dry runs, validation, request ids, warnings.

use std::fmt;

use clap::{Args, ValueEnum};
use serde_json::Value;
use skep_api::{
    convert::{proto_from_value, value_from_struct},
    proto::{PatchRequest, Validation, WriteOptions, WriteResponse, WriteResult, patch_request},
};

use crate::{args::ResourceId, context::Context};

/// Who writes, as the server records it.
const FIELD_MANAGER: &str = "skep";

/// `--dry-run`; flatten it into a command's arguments.
#[derive(Args, Clone, Copy, Debug, Default)]
pub(crate) struct DryRunArgs {
    /// Change nothing: client sends nothing that writes, server does everything but the write
    #[arg(long, value_enum, default_value_t, num_args = 0..=1, require_equals = true, default_missing_value = "client")]
    pub(crate) dry_run: DryRun,
}

/// How far a write goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum DryRun {
    /// All the way.
    #[default]
    None,
    /// Nothing is sent.
    Client,
    /// The server does everything but the write.
    Server,
}

/// What follows the word that tells what was done.
impl fmt::Display for DryRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "",
            Self::Client => " (dry run)",
            Self::Server => " (server dry run)",
        })
    }
}

/// `--validate`; flatten it into a command's arguments.
#[derive(Args, Clone, Copy, Debug, Default)]
pub(crate) struct ValidateArgs {
    /// What to do with fields that skep does not know or does not implement
    #[arg(long, value_enum, default_value_t, num_args = 0..=1, require_equals = true, default_missing_value = "strict")]
    pub(crate) validate: Validate,
}

/// What to do with fields that skep does not know or does not implement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Validate {
    /// They are errors.
    #[default]
    #[value(alias = "true")]
    Strict,
    /// They are warnings, and dropped.
    Warn,
    /// They are dropped.
    #[value(alias = "false")]
    Ignore,
}

impl From<Validate> for Validation {
    fn from(validate: Validate) -> Self {
        match validate {
            Validate::Strict => Self::Strict,
            Validate::Warn => Self::Warn,
            Validate::Ignore => Self::Ignore,
        }
    }
}

/// Options of one write, with a request id of its own.
pub(crate) fn write_options(validate: Validate, dry_run: DryRun) -> WriteOptions {
    WriteOptions {
        validation: Validation::from(validate).into(),
        dry_run: dry_run != DryRun::None,
        request_id: request_id(),
        field_manager: FIELD_MANAGER.to_owned(),
    }
}

/// A new request id: 32 hexadecimal digits.
pub(crate) fn request_id() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// What a write came to.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    /// The object as it is now.
    pub(crate) object: Value,
    /// Whether anything changed.
    pub(crate) result: WriteResult,
}

impl Written {
    /// Takes a server's answer and prints its warnings.
    pub(crate) fn from_response(response: WriteResponse) -> Self {
        for warning in &response.warnings {
            eprintln!("Warning: {warning}");
        }
        let result = response.result();
        Self {
            object: value_from_struct(response.object.unwrap_or_default()),
            result,
        }
    }

    /// The object's name in the cluster, which for a generated name only the answer knows.
    pub(crate) fn id_or(&self, asked: &ResourceId) -> ResourceId {
        ResourceId::of_document(&self.object)
            .filter(|id| !id.name.is_empty())
            .unwrap_or_else(|| asked.clone())
    }
}

/// Patches an object.
///
/// # Errors
/// What the server answers.
pub(crate) async fn patch(
    ctx: &Context,
    id: &ResourceId,
    patch_type: patch_request::Type,
    patch: Value,
    dry_run: DryRun,
) -> anyhow::Result<Written> {
    let request = PatchRequest {
        r#ref: Some(id.to_ref()),
        r#type: patch_type.into(),
        patch: Some(proto_from_value(patch)),
        options: Some(write_options(Validate::Strict, dry_run)),
        ..PatchRequest::default()
    };
    Ok(Written::from_response(
        ctx.client().await?.patch(request).await?.into_inner(),
    ))
}
