//! `skep set env`.

use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use serde_json::{Value, json};
use skep_api::Kind;

use super::{Targets, containers, edit_pod_specs, pod_spec};
use crate::{
    args::{self, ResourceId},
    context::Context,
    output, reads,
};

/// What `skep set env` takes.
#[derive(Args, Debug)]
pub(super) struct EnvArgs {
    /// TYPE/NAME or TYPE NAME, then NAME=VALUE to set or NAME- to remove
    #[arg(value_name = "RESOURCE NAME=VALUE", required = true)]
    words: Vec<String>,
    #[command(flatten)]
    targets: Targets,
    /// Only this container; * is every one
    #[arg(short, long, default_value = "*", value_name = "NAME")]
    containers: String,
    /// Take every key of configmap/NAME or secret/NAME
    #[arg(long, value_name = "RESOURCE")]
    from: Option<String>,
    /// With --from: only these keys
    #[arg(long, value_delimiter = ',', value_name = "KEY", requires = "from")]
    keys: Vec<String>,
    /// With --from: put before each name
    #[arg(
        long,
        default_value = "",
        hide_default_value = true,
        value_name = "TEXT",
        requires = "from"
    )]
    prefix: String,
    /// Show the variables and change nothing
    #[arg(long)]
    list: bool,
}

/// What happens to one variable.
#[derive(Clone, Debug, PartialEq)]
enum Change {
    /// It gets this entry.
    Set(String, Value),
    /// It goes.
    Remove(String),
}

pub(super) async fn run(args: &EnvArgs, ctx: &Context) -> anyhow::Result<ExitCode> {
    let (resources, mut changes) = split(&args.words)?;
    if let Some(source) = &args.from {
        changes.extend(from(args, ctx, source).await?);
    }
    let ids = args.targets.resolve(resources, ctx).await?;
    if args.list {
        return list(args, ctx, &ids).await;
    }
    if changes.is_empty() {
        bail!("at least one environment variable must be provided: write NAME=VALUE, or NAME- to remove it");
    }
    edit_pod_specs(ctx, &ids, "env", |spec| {
        containers(spec, &args.containers)?
            .into_iter()
            .for_each(|container| set(container, &changes));
        Ok(())
    })
    .await
}

/// Words with `=` set variables, words that end in `-` remove them, the others name resources.
fn split(words: &[String]) -> anyhow::Result<(Vec<String>, Vec<Change>)> {
    let (mut resources, mut changes) = (Vec::new(), Vec::new());
    for word in words {
        match (word.split_once('='), word.strip_suffix('-')) {
            (Some(("", _)), _) | (None, Some("")) => bail!("`{word}` names no variable"),
            (Some((name, value)), _) => {
                changes.push(Change::Set(
                    name.to_owned(),
                    json!({ "name": name, "value": value }),
                ));
            }
            (None, Some(name)) if !resources.is_empty() => changes.push(Change::Remove(name.to_owned())),
            _ => resources.push(word.clone()),
        }
    }
    Ok((resources, changes))
}

/// Variables that refer to the keys of a config map or secret.
async fn from(args: &EnvArgs, ctx: &Context, source: &str) -> anyhow::Result<Vec<Change>> {
    let (kind, name) = args::parse_target(source, Kind::ConfigMap)?;
    let reference = match kind {
        Kind::ConfigMap => "configMapKeyRef",
        Kind::Secret => "secretKeyRef",
        _ => bail!(
            "variables come from a config map or a secret, not from a {}",
            kind.singular()
        ),
    };
    let document = reads::get(ctx, &ResourceId::new(kind, ctx.namespace(), &name)).await?;
    let keys = document["data"]
        .as_object()
        .into_iter()
        .flat_map(serde_json::Map::keys);
    let wanted = keys.filter(|key| args.keys.is_empty() || args.keys.contains(key));
    Ok(wanted
        .map(|key| {
            let variable = format!("{}{}", args.prefix, variable_name(key));
            let entry = json!({ "name": variable, "valueFrom": { reference: { "name": name, "key": key } } });
            Change::Set(variable, entry)
        })
        .collect())
}

/// `log.level` becomes `LOG_LEVEL`.
fn variable_name(key: &str) -> String {
    key.to_uppercase()
        .replace(|c: char| !c.is_ascii_alphanumeric(), "_")
}

fn set(container: &mut Value, changes: &[Change]) {
    let mut variables = container["env"].as_array().cloned().unwrap_or_default();
    for change in changes {
        match change {
            Change::Remove(name) => variables.retain(|variable| variable["name"] != name.as_str()),
            Change::Set(name, entry) => {
                match variables
                    .iter_mut()
                    .find(|variable| variable["name"] == name.as_str())
                {
                    Some(variable) => variable.clone_from(entry),
                    None => variables.push(entry.clone()),
                }
            }
        }
    }
    match (variables.is_empty(), container.as_object_mut()) {
        (true, Some(fields)) => {
            fields.remove("env");
        }
        _ => container["env"] = variables.into(),
    }
}

async fn list(args: &EnvArgs, ctx: &Context, ids: &[ResourceId]) -> anyhow::Result<ExitCode> {
    for id in ids {
        let mut document = reads::get(ctx, id).await?;
        for container in containers(pod_spec(id, &mut document)?, &args.containers)? {
            let name = container["name"].as_str().unwrap_or_default();
            output::write(&format!("# {id}, container {name}\n"))?;
            let variables = container["env"].as_array().into_iter().flatten();
            output::write(&variables.map(shown).collect::<String>())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn shown(variable: &Value) -> String {
    let name = variable["name"].as_str().unwrap_or_default();
    let source = &variable["valueFrom"];
    for (field, word) in [("configMapKeyRef", "configmap"), ("secretKeyRef", "secret")] {
        if let (Some(object), Some(key)) = (source[field]["name"].as_str(), source[field]["key"].as_str()) {
            return format!("# {name} from {word} {object}, key {key}\n");
        }
    }
    match source {
        Value::Null => format!("{name}={}\n", variable["value"].as_str().unwrap_or_default()),
        source => format!("# {name} from {source}\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(words: &[&str]) -> (Vec<String>, Vec<Change>) {
        split(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn words_set_remove_or_name_resources() {
        let (resources, changes) = changes(&["deployment/web", "A=1", "B-", "C=x=y"]);
        assert_eq!(resources, ["deployment/web"]);
        assert_eq!(
            changes[0],
            Change::Set("A".to_owned(), json!({ "name": "A", "value": "1" }))
        );
        assert_eq!(changes[1], Change::Remove("B".to_owned()));
        assert_eq!(
            changes[2],
            Change::Set("C".to_owned(), json!({ "name": "C", "value": "x=y" }))
        );
    }

    #[test]
    fn variables_keep_their_place_and_the_last_removal_takes_the_field_away() {
        let mut container = json!({ "env": [{ "name": "A", "value": "1" }, { "name": "B", "value": "2" }] });
        set(&mut container, &changes(&["d/web", "A=3", "C=4", "B-"]).1);
        assert_eq!(
            container,
            json!({ "env": [{ "name": "A", "value": "3" }, { "name": "C", "value": "4" }] })
        );
        set(&mut container, &changes(&["d/web", "A-", "C-"]).1);
        assert_eq!(container, json!({}));
    }

    #[test]
    fn variables_are_shown_with_where_they_come_from() {
        assert_eq!(shown(&json!({ "name": "A", "value": "1" })), "A=1\n");
        let secret =
            json!({ "name": "P", "valueFrom": { "secretKeyRef": { "name": "web", "key": "password" } } });
        assert_eq!(shown(&secret), "# P from secret web, key password\n");
        assert_eq!(variable_name("log.level"), "LOG_LEVEL");
    }
}
