//! `skep set resources`.

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::{Map, Value};
use skep_api::Quantity;

use super::{Targets, containers, edit_pod_specs};
use crate::context::Context;

/// What `skep set resources` takes.
#[derive(Args, Debug)]
pub(super) struct ResourcesArgs {
    /// TYPE/NAME... or TYPE NAME...
    #[arg(value_name = "RESOURCE", required = true)]
    words: Vec<String>,
    #[command(flatten)]
    targets: Targets,
    /// Only this container; * is every one
    #[arg(short, long, default_value = "*", value_name = "NAME")]
    containers: String,
    /// What they may use at most, such as cpu=500m,memory=256Mi; 0 takes a limit away
    #[arg(long, value_name = "AMOUNTS")]
    limits: Option<String>,
    /// What is set aside for them, such as cpu=100m,memory=128Mi; 0 takes a request away
    #[arg(long, value_name = "AMOUNTS")]
    requests: Option<String>,
}

pub(super) async fn run(args: &ResourcesArgs, ctx: &Context) -> anyhow::Result<ExitCode> {
    let limits = amounts(args.limits.as_deref())?;
    let requests = amounts(args.requests.as_deref())?;
    if limits.is_empty() && requests.is_empty() {
        bail!("you must specify an update to requests or limits (in the form of --requests/--limits)");
    }
    let ids = args.targets.resolve(args.words.clone(), ctx).await?;
    edit_pod_specs(ctx, &ids, "resource requirements", |spec| {
        for container in containers(spec, &args.containers)? {
            set(container, "limits", &limits);
            set(container, "requests", &requests);
        }
        Ok(())
    })
    .await
}

/// Reads `cpu=500m,memory=256Mi`.
fn amounts(text: Option<&str>) -> anyhow::Result<Vec<(String, Quantity)>> {
    let parts = text
        .unwrap_or_default()
        .split(',')
        .filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let (name, amount) = part
                .split_once('=')
                .with_context(|| format!("`{part}` is no amount of a resource: write such as cpu=500m"))?;
            Ok((name.to_owned(), amount.parse()?))
        })
        .collect()
}

fn set(container: &mut Value, field: &str, amounts: &[(String, Quantity)]) {
    if amounts.is_empty() {
        return;
    }
    let resources = &mut container["resources"];
    if resources.is_null() {
        *resources = Value::Object(Map::new());
    }
    for (name, amount) in amounts {
        if !amount.is_zero() {
            resources[field][name] = amount.to_string().into();
        } else if let Some(fields) = resources[field].as_object_mut() {
            fields.remove(name);
        }
    }
    if resources[field].as_object().is_none_or(Map::is_empty)
        && let Some(resources) = resources.as_object_mut()
    {
        resources.remove(field);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn amounts_are_set_and_nothing_takes_them_away() {
        let mut container = json!({ "resources": { "limits": { "cpu": "1" }, "requests": { "cpu": "1" } } });
        set(
            &mut container,
            "limits",
            &amounts(Some("cpu=500m,memory=256Mi")).unwrap(),
        );
        set(&mut container, "requests", &amounts(Some("cpu=0")).unwrap());
        assert_eq!(
            container,
            json!({ "resources": { "limits": { "cpu": "500m", "memory": "256Mi" } } })
        );
        let mut bare = json!({});
        set(&mut bare, "requests", &amounts(Some("cpu=1")).unwrap());
        assert_eq!(bare, json!({ "resources": { "requests": { "cpu": "1" } } }));
    }

    #[test]
    fn what_is_no_amount_says_how_one_is_written() {
        assert!(amounts(Some("cpu")).unwrap_err().to_string().contains("cpu=500m"));
        assert!(
            amounts(Some("cpu=lots"))
                .unwrap_err()
                .to_string()
                .contains("not a quantity")
        );
    }
}
