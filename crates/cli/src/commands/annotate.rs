//! `skep annotate`: as `skep label`, for annotations.

use std::process::ExitCode;

use super::label::{self, Field, LabelArgs};
use crate::context::Context;

/// Sets and takes away annotations.
///
/// # Errors
/// As [`label::run`].
pub(crate) async fn run(args: LabelArgs, ctx: &Context) -> anyhow::Result<ExitCode> {
    label::run(args, Field::Annotations, ctx).await
}
