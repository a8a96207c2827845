//! `skep explain`: the fields of a kind.

use std::process::ExitCode;

use clap::Args;
use skep_api::proto::ExplainRequest;

use crate::{args::parse_kind, context::Context, output};

/// What `skep explain` takes.
#[derive(Args, Debug)]
pub(crate) struct ExplainArgs {
    /// The kind, or one of its fields such as deployment.spec.strategy
    #[arg(value_name = "TYPE[.FIELD]...")]
    path: String,
    /// Name the fields below as well
    #[arg(long)]
    recursive: bool,
}

/// Shows what a kind or a field is for and holds.
///
/// # Errors
/// Where the kind is unknown or the server cannot be asked.
pub(crate) async fn run(args: ExplainArgs, ctx: &Context) -> anyhow::Result<ExitCode> {
    let request = ExplainRequest {
        path: normal_path(&args.path)?,
        recursive: args.recursive,
    };
    let mut text = ctx.client().await?.explain(request).await?.into_inner().text;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    output::write(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// The path with the kind's singular in front, whatever alias was written.
fn normal_path(path: &str) -> anyhow::Result<String> {
    // `deployments.apps` is a kind as well as `deployments` with a field.
    let longest = path
        .match_indices('.')
        .map(|(dot, _)| dot)
        .chain([path.len()])
        .rev();
    let kind = longest
        .map(|end| (&path[..end], &path[end..]))
        .find_map(|(alias, fields)| {
            let kind = parse_kind(alias).ok()?;
            Some(format!("{}{fields}", kind.singular()))
        });
    match kind {
        Some(path) => Ok(path),
        None => parse_kind(path.split('.').next().unwrap_or_default()).map(|kind| kind.singular().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_alias_may_stand_in_front() {
        assert_eq!(
            normal_path("deploy.spec.strategy").unwrap(),
            "deployment.spec.strategy"
        );
        assert_eq!(normal_path("deployments.apps").unwrap(), "deployment");
        assert_eq!(normal_path("deployments.apps.spec").unwrap(), "deployment.spec");
        assert_eq!(normal_path("po").unwrap(), "pod");
    }

    #[test]
    fn an_unknown_kind_is_named_without_its_fields() {
        let error = normal_path("gadgets.spec").unwrap_err().to_string();
        assert_eq!(error, "the server doesn't have a resource type \"gadgets\"");
    }
}
