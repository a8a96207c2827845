//! `skep label` and `skep annotate`: keys and values of metadata.

use std::{collections::BTreeMap, process::ExitCode};

use anyhow::{anyhow, bail};
use clap::Args;
use serde_json::{Map, Value, json};
use skep_api::{names, proto::patch_request};

use crate::{
    args::{ResourceId, Selection},
    context::Context,
    errors::Failures,
    output::{self, OutputArgs},
    reads,
    writes::{DryRun, DryRunArgs, patch},
};

/// What `skep label` and `skep annotate` take.
#[derive(Args, Debug)]
pub(crate) struct LabelArgs {
    /// The objects, then KEY=VALUE to set and KEY- to take away.
    #[command(flatten)]
    selection: Selection,
    /// The fields to select by, such as spec.nodeName=a
    #[arg(long, value_name = "FIELDS", default_value = "", hide_default_value = true)]
    field_selector: String,
    /// Objects of all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// Change values that are set already
    #[arg(long)]
    overwrite: bool,
    /// Show what is set
    #[arg(long)]
    list: bool,
    /// Change the object only at this revision
    #[arg(long, value_name = "REVISION")]
    resource_version: Option<String>,
    #[command(flatten)]
    dry_run: DryRunArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Which of the two maps of metadata is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    /// Words to select by.
    Labels,
    /// Notes.
    Annotations,
}

impl Field {
    fn name(self) -> &'static str {
        match self {
            Self::Labels => "labels",
            Self::Annotations => "annotations",
        }
    }

    /// What was done where a key was set.
    fn done(self) -> &'static str {
        match self {
            Self::Labels => "labeled",
            Self::Annotations => "annotated",
        }
    }
}

/// Keys with their new values; `None` takes a key away.
type Changes = BTreeMap<String, Option<String>>;

/// Sets and takes away labels or annotations.
///
/// # Errors
/// Where the words name no objects or changes; what fails for one object is printed and makes the exit code 1.
pub(crate) async fn run(mut args: LabelArgs, field: Field, ctx: &Context) -> anyhow::Result<ExitCode> {
    let (words, changes) = split(std::mem::take(&mut args.selection.words), field)?;
    args.selection.words = words;
    if changes.is_empty() && !args.list {
        bail!(
            "at least one {} update is required: KEY=VALUE sets and KEY- takes away",
            field.name().trim_end_matches('s')
        );
    }
    let namespace = if args.all_namespaces { "" } else { ctx.namespace() };
    let ids = args
        .selection
        .resolve_in(ctx, namespace, &args.field_selector)
        .await?;
    if ids.len() > 1 && args.resource_version.is_some() {
        bail!("--resource-version may only be used with a single resource");
    }
    let mut failures = Failures::default();
    let mut shown = Vec::new();
    for id in &ids {
        shown.extend(
            failures
                .keep(change(&args, field, &changes, id, ctx).await)
                .flatten(),
        );
    }
    super::show_written(args.output.output.as_ref(), shown)?;
    Ok(failures.exit_code())
}

/// Changes one object; gives it where it is to be shown.
async fn change(
    args: &LabelArgs,
    field: Field,
    changes: &Changes,
    id: &ResourceId,
    ctx: &Context,
) -> anyhow::Result<Option<Value>> {
    let object = reads::get(ctx, id).await?;
    let present = object["metadata"][field.name()]
        .as_object()
        .cloned()
        .unwrap_or_default();
    if args.list {
        list(id, &present)?;
        return Ok(None);
    }
    if !args.overwrite {
        refuse_overwriting(&present, changes)?;
    }
    for key in changes
        .iter()
        .filter(|(key, value)| value.is_none() && !present.contains_key(*key))
        .map(|(key, _)| key)
    {
        output_note(
            args,
            &format!("{} \"{key}\" not found.\n", field.name().trim_end_matches('s')),
        )?;
    }
    let word = word(field, &present, changes);
    let dry_run = args.dry_run.dry_run;
    let changed = if word.starts_with("not ") {
        object
    } else if dry_run == DryRun::Client {
        merged(object, field, changes)
    } else {
        patch(
            ctx,
            id,
            patch_request::Type::Merge,
            to_patch(field, changes, args),
            dry_run,
        )
        .await?
        .object
    };
    output_note(args, &format!("{id} {word}{dry_run}\n"))?;
    Ok(args.output.output.is_some().then_some(changed))
}

fn output_note(args: &LabelArgs, text: &str) -> anyhow::Result<()> {
    if args.output.output.is_some() {
        Ok(())
    } else {
        output::write(text)
    }
}

fn list(id: &ResourceId, present: &Map<String, Value>) -> anyhow::Result<()> {
    let pairs = present
        .iter()
        .map(|(key, value)| format!("{key}={}\n", value.as_str().unwrap_or_default()));
    output::write(&format!("Listing for {id}:\n{}", pairs.collect::<String>()))
}

fn refuse_overwriting(present: &Map<String, Value>, changes: &Changes) -> anyhow::Result<()> {
    let wrong: Vec<String> = changes
        .iter()
        .filter_map(|(key, value)| {
            let old = present.get(key)?.as_str()?;
            let new = value.as_ref()?;
            (old != new).then(|| format!("'{key}' already has a value ({old}), and --overwrite is false"))
        })
        .collect();
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(anyhow!(wrong.join("; ")))
    }
}

fn word(field: Field, present: &Map<String, Value>, changes: &Changes) -> String {
    let sets = changes.iter().any(|(key, value)| {
        value
            .as_ref()
            .is_some_and(|value| present.get(key).and_then(Value::as_str) != Some(value))
    });
    let removes = changes
        .iter()
        .any(|(key, value)| value.is_none() && present.contains_key(key));
    match (sets, removes, field) {
        (true, _, _) => field.done().to_owned(),
        (false, true, Field::Labels) => "unlabeled".to_owned(),
        (false, true, Field::Annotations) => "annotated".to_owned(),
        (false, false, _) => format!("not {}", field.done()),
    }
}

fn to_patch(field: Field, changes: &Changes, args: &LabelArgs) -> Value {
    let mut metadata = Map::new();
    metadata.insert(field.name().to_owned(), json!(changes));
    if let Some(revision) = &args.resource_version {
        metadata.insert("resourceVersion".to_owned(), revision.as_str().into());
    }
    json!({ "metadata": metadata })
}

fn merged(mut object: Value, field: Field, changes: &Changes) -> Value {
    let mut map = object["metadata"][field.name()]
        .as_object()
        .cloned()
        .unwrap_or_default();
    for (key, value) in changes {
        match value {
            Some(value) => map.insert(key.clone(), value.as_str().into()),
            None => map.remove(key),
        };
    }
    object["metadata"][field.name()] = map.into();
    object
}

/// Parts words that name objects from those that change keys.
fn split(words: Vec<String>, field: Field) -> anyhow::Result<(Vec<String>, Changes)> {
    let mut resources = Vec::new();
    let mut changes = Changes::new();
    for word in words {
        let (key, value) = match word.split_once('=') {
            Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
            None => match word.strip_suffix('-') {
                Some(key) if !key.is_empty() => (key.to_owned(), None),
                _ if changes.is_empty() => {
                    resources.push(word);
                    continue;
                }
                _ => bail!("`{word}` is no change: KEY=VALUE sets and KEY- takes away; resources come first"),
            },
        };
        check(field, &key, value.as_deref())?;
        match changes.get(&key) {
            Some(before) if before.is_some() != value.is_some() => {
                bail!(
                    "can not both modify and remove the {} \"{key}\"",
                    field.name().trim_end_matches('s')
                );
            }
            _ => changes.insert(key, value),
        };
    }
    Ok((resources, changes))
}

fn check(field: Field, key: &str, value: Option<&str>) -> anyhow::Result<()> {
    if let Some(problem) = names::qualified_name(key) {
        bail!("invalid key \"{key}\": {problem}");
    }
    let problem = value
        .filter(|_| field == Field::Labels)
        .and_then(names::label_value);
    match problem {
        Some(problem) => bail!("invalid label value \"{}\": {problem}", value.unwrap_or_default()),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(line: &str) -> Result<(String, String), String> {
        let words = line.split_whitespace().map(str::to_owned).collect();
        let (resources, changes) = split(words, Field::Labels).map_err(|error| error.to_string())?;
        let changes: Vec<_> = changes
            .into_iter()
            .map(|(key, value)| value.map_or_else(|| format!("-{key}"), |value| format!("{key}={value}")))
            .collect();
        Ok((resources.join(" "), changes.join(" ")))
    }

    fn changes(line: &str) -> Changes {
        split(
            line.split_whitespace().map(str::to_owned).collect(),
            Field::Labels,
        )
        .unwrap()
        .1
    }

    fn present() -> Map<String, Value> {
        json!({ "app": "web" }).as_object().cloned().unwrap()
    }

    #[test]
    fn changes_follow_the_resources() {
        assert_eq!(
            parts("pods a b tier=front old-"),
            Ok(("pods a b".into(), "-old tier=front".into()))
        );
        assert_eq!(parts("pod/a x.io/y="), Ok(("pod/a".into(), "x.io/y=".into())));
    }

    #[test]
    fn bad_words_are_refused() {
        assert!(parts("pod/a a=1 b").unwrap_err().contains("resources come first"));
        assert!(
            parts("pod/a a=1 a-")
                .unwrap_err()
                .contains("both modify and remove")
        );
        assert!(
            parts("pod/a a=b/c")
                .unwrap_err()
                .contains("invalid label value \"b/c\"")
        );
        assert!(parts("pod/a /=b").unwrap_err().contains("invalid key \"/\""));
    }

    #[test]
    fn a_value_is_only_overwritten_when_told() {
        let error = refuse_overwriting(&present(), &changes("app=api"))
            .unwrap_err()
            .to_string();
        assert_eq!(error, "'app' already has a value (web), and --overwrite is false");
        assert!(refuse_overwriting(&present(), &changes("app=web")).is_ok());
        assert!(refuse_overwriting(&present(), &changes("app-")).is_ok());
    }

    #[test]
    fn the_word_tells_what_was_done() {
        let word = |line| word(Field::Labels, &present(), &changes(line));
        assert_eq!(word("tier=front"), "labeled");
        assert_eq!(word("app=web"), "not labeled");
        assert_eq!(word("app-"), "unlabeled");
        assert_eq!(word("gone-"), "not labeled");
    }
}
