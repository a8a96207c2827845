//! `skep diff`: what apply would change.

use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use serde_json::{Map, Value};
use similar::TextDiff;
use skep_api::{
    Kind,
    convert::struct_from_value,
    proto::{ApplyRequest, WriteResult},
};

use crate::{
    args::ResourceId,
    context::Context,
    errors::{Failures, report},
    manifests::{Document, FileArgs},
    output, reads,
    writes::{DryRun, ValidateArgs, Written, write_options},
};

/// Something went wrong: the exit code that is neither `equal` nor `different`.
const TROUBLE: u8 = 2;

/// What `skep diff` takes.
#[derive(Args, Debug)]
pub(crate) struct DiffArgs {
    #[command(flatten)]
    files: FileArgs,
    #[command(flatten)]
    validate: ValidateArgs,
}

/// Shows the differences between what is there and what would be; the exit code is 0 where there is none, 1 where there is one and
/// 2 where something failed.
///
/// # Errors
/// Never: failures are printed, so that the exit code tells them from differences.
pub(crate) async fn run(args: DiffArgs, ctx: &Context) -> anyhow::Result<ExitCode> {
    match differences(&args, ctx).await {
        Ok(true) => Ok(ExitCode::from(1)),
        Ok(false) => Ok(ExitCode::SUCCESS),
        Err(error) => {
            report(&error);
            Ok(ExitCode::from(TROUBLE))
        }
    }
}

async fn differences(args: &DiffArgs, ctx: &Context) -> anyhow::Result<bool> {
    if args.files.is_empty() {
        bail!("must specify -f, such as -f app.yaml");
    }
    let mut failures = Failures::default();
    let documents = args.files.load(ctx, &mut failures);
    let mut different = false;
    for document in &documents {
        let Some(text) = failures.keep(difference(document, args, ctx).await) else {
            continue;
        };
        different |= !text.is_empty();
        output::write(&text)?;
    }
    if failures.any() {
        bail!("not everything could be compared");
    }
    Ok(different)
}

async fn difference(document: &Document, args: &DiffArgs, ctx: &Context) -> anyhow::Result<String> {
    let live = reads::find(ctx, &document.id).await?;
    let request = ApplyRequest {
        object: struct_from_value(document.value.clone()),
        options: Some(write_options(args.validate.validate, DryRun::Server)),
    };
    let response = ctx.client().await?.apply(request).await;
    let written = Written::from_response(
        response
            .map_err(|status| super::about(&document.origin, status))?
            .into_inner(),
    );
    if written.result == WriteResult::Unchanged {
        return Ok(String::new());
    }
    compare(&document.id, live, written.object, ctx.color())
}

/// The unified difference of two states of an object; empty where they are equal.
fn compare(id: &ResourceId, live: Option<Value>, mut merged: Value, color: bool) -> anyhow::Result<String> {
    let mut live = live.unwrap_or(Value::Null);
    for object in [&mut live, &mut merged] {
        drop_bookkeeping(object);
    }
    if id.kind == Kind::Secret {
        mask(&mut live, &mut merged);
    }
    let text = |object: &Value| {
        if object.is_null() {
            Ok(String::new())
        } else {
            output::yaml(object)
        }
    };
    let (before, after) = (text(&live)?, text(&merged)?);
    if before == after {
        return Ok(String::new());
    }
    let name = file_name(id);
    let diff = TextDiff::from_lines(&before, &after);
    let unified = diff
        .unified_diff()
        .context_radius(3)
        .header(&format!("live/{name}"), &format!("merged/{name}"))
        .to_string();
    Ok(if color { colored(&unified) } else { unified })
}

/// As `apps.v1.Deployment.default.web`.
fn file_name(id: &ResourceId) -> String {
    let parts = [
        &id.kind.api_version().replace('/', "."),
        id.kind.as_str(),
        &id.namespace,
        &id.name,
    ];
    parts
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(".")
}

/// What the server keeps for itself and what every write changes.
fn drop_bookkeeping(object: &mut Value) {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("resourceVersion");
        metadata.remove("managedFields");
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.retain(|key, _| !key.ends_with("/last-applied-configuration"));
            if annotations.is_empty() {
                metadata.remove("annotations");
            }
        }
    }
}

/// Hides the values of secrets, but not which of them differ.
fn mask(live: &mut Value, merged: &mut Value) {
    let data = |object: &Value| object["data"].as_object().cloned().unwrap_or_default();
    let (before, after) = (data(live), data(merged));
    let masked = |own: &Map<String, Value>, other: &Map<String, Value>, side: &str| -> Value {
        let differs = |key: &String, value: &Value| other.get(key).is_some_and(|other| other != value);
        let show = |key: &String, value: &Value| {
            if differs(key, value) {
                format!("*** ({side})")
            } else {
                "***".to_owned()
            }
        };
        own.iter()
            .map(|(key, value)| (key.clone(), Value::from(show(key, value))))
            .collect::<Map<_, _>>()
            .into()
    };
    for (object, own, other, side) in [
        (live, &before, &after, "before"),
        (merged, &after, &before, "after"),
    ] {
        if let Some(data) = object.get_mut("data") {
            *data = masked(own, other, side);
        }
    }
}

fn colored(unified: &str) -> String {
    let paint = |line: &str| match line.chars().next() {
        _ if line.starts_with("---") || line.starts_with("+++") => format!("\x1b[1m{line}\x1b[0m\n"),
        Some('-') => format!("\x1b[31m{line}\x1b[0m\n"),
        Some('+') => format!("\x1b[32m{line}\x1b[0m\n"),
        Some('@') => format!("\x1b[36m{line}\x1b[0m\n"),
        _ => format!("{line}\n"),
    };
    unified.lines().map(paint).collect()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_change_is_shown_with_what_is_around_it() {
        let deployment = |replicas: u32, revision: &str| {
            json!({
                "apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": { "name": "web", "namespace": "shop", "resourceVersion": revision },
                "spec": { "replicas": replicas }
            })
        };
        let id = ResourceId::new(Kind::Deployment, "shop", "web");
        expect![[r#"
            --- live/apps.v1.Deployment.shop.web
            +++ merged/apps.v1.Deployment.shop.web
            @@ -4,4 +4,4 @@
               name: web
               namespace: shop
             spec:
            -  replicas: 2
            +  replicas: 3
        "#]]
        .assert_eq(&compare(&id, Some(deployment(2, "7")), deployment(3, "8"), false).unwrap());
        assert_eq!(
            compare(&id, Some(deployment(2, "7")), deployment(2, "8"), false).unwrap(),
            ""
        );
    }

    #[test]
    fn a_new_object_is_all_new() {
        let id = ResourceId::new(Kind::Namespace, "", "shop");
        expect![[r#"
            --- live/v1.Namespace.shop
            +++ merged/v1.Namespace.shop
            @@ -0,0 +1 @@
            +kind: Namespace
        "#]]
        .assert_eq(&compare(&id, None, json!({ "kind": "Namespace" }), false).unwrap());
    }

    #[test]
    fn values_of_secrets_are_hidden_but_not_that_they_differ() {
        let secret =
            |password: &str| json!({ "kind": "Secret", "data": { "password": password, "user": "bWU=" } });
        let id = ResourceId::new(Kind::Secret, "shop", "db");
        let text = compare(&id, Some(secret("b2xk")), secret("bmV3"), false).unwrap();
        assert!(
            text.contains("-  password: \"*** (before)\"\n+  password: \"*** (after)\""),
            "{text}"
        );
        assert!(
            !text.contains("b2xk") && !text.contains("bmV3") && !text.contains("bWU="),
            "{text}"
        );
    }
}
