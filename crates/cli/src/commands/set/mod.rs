//! `skep set`: parts of a pod template changed by name.

mod env;
mod image;
mod resources;

use std::process::ExitCode;

use anyhow::bail;
use clap::{Args, Subcommand};
use serde_json::Value;
use skep_api::Kind;

use crate::{
    args::{ResourceId, Selection},
    commands::live,
    context::Context,
    errors::Failures,
    output,
};

/// What `skep set` takes.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  skep set image deployment/web web=registry.internal/web:v2
  skep set env deployment/web LOG_LEVEL=debug OLD_FLAG-
  skep set resources deployment/web --limits=cpu=500m,memory=256Mi")]
pub(crate) struct SetArgs {
    #[command(subcommand)]
    part: Part,
}

#[derive(Debug, Subcommand)]
enum Part {
    /// Change the images of containers
    Image(image::ImageArgs),
    /// Change the variables of containers
    Env(env::EnvArgs),
    /// Change what containers ask for and may use
    Resources(resources::ResourcesArgs),
}

/// Changes a part of pod templates.
///
/// # Errors
/// Where nothing is named or the server cannot be asked; failures with single objects are printed.
pub(crate) async fn run(args: SetArgs, ctx: &Context) -> anyhow::Result<ExitCode> {
    match args.part {
        Part::Image(args) => image::run(&args, ctx).await,
        Part::Env(args) => env::run(&args, ctx).await,
        Part::Resources(args) => resources::run(&args, ctx).await,
    }
}

/// Which objects and which of their containers; flatten it into a part's arguments.
#[derive(Args, Clone, Debug, Default)]
struct Targets {
    /// The labels to select by, such as app=web,tier!=db
    #[arg(short = 'l', long, value_name = "LABELS")]
    selector: Option<String>,
    /// All objects of the types named
    #[arg(long)]
    all: bool,
}

impl Targets {
    /// The objects that the words name.
    async fn resolve(&self, words: Vec<String>, ctx: &Context) -> anyhow::Result<Vec<ResourceId>> {
        let selection = Selection {
            words,
            selector: self.selector.clone(),
            all: self.all,
            ..Selection::default()
        };
        selection.resolve(ctx).await
    }
}

/// Changes the pod spec of each object, and says so where it made a difference.
async fn edit_pod_specs(
    ctx: &Context,
    ids: &[ResourceId],
    what: &str,
    mut change: impl FnMut(&mut Value) -> anyhow::Result<()>,
) -> anyhow::Result<ExitCode> {
    let mut failures = Failures::default();
    for id in ids {
        let edited = live::edit(ctx, id, |document| change(pod_spec(id, document)?)).await;
        if let Some(changed) = failures.keep(edited) {
            let result = if changed { "updated" } else { "unchanged" };
            output::write(&format!("{id} {what} {result}\n"))?;
        }
    }
    Ok(failures.exit_code())
}

/// The pod spec in a pod, or in the template of anything that makes pods.
fn pod_spec<'v>(id: &ResourceId, document: &'v mut Value) -> anyhow::Result<&'v mut Value> {
    match id.kind {
        Kind::Pod => Ok(&mut document["spec"]),
        Kind::Deployment | Kind::ReplicaSet => Ok(&mut document["spec"]["template"]["spec"]),
        _ => bail!("{id} has no containers"),
    }
}

/// The containers that a name or `*` means, init containers only where they are named.
fn containers<'v>(spec: &'v mut Value, name: &str) -> anyhow::Result<Vec<&'v mut Value>> {
    let Value::Object(fields) = spec else {
        bail!("there are no containers")
    };
    let lists = fields.iter_mut().filter(|(field, _)| {
        field.as_str() == "containers" || (field.as_str() == "initContainers" && name != "*")
    });
    let all = lists.filter_map(|(_, list)| list.as_array_mut()).flatten();
    let found: Vec<_> = all
        .filter(|container| name == "*" || container["name"] == name)
        .collect();
    if found.is_empty() {
        bail!("unable to find container named \"{name}\"");
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_star_means_all_containers_and_a_name_one_of_any_sort() {
        let mut spec = json!({
            "containers": [{ "name": "web" }, { "name": "log" }],
            "initContainers": [{ "name": "migrate" }],
        });
        assert_eq!(containers(&mut spec, "*").unwrap().len(), 2);
        assert_eq!(containers(&mut spec, "migrate").unwrap().len(), 1);
        let error = containers(&mut spec, "db").unwrap_err().to_string();
        assert_eq!(error, "unable to find container named \"db\"");
    }
}
