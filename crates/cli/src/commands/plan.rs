//! `skep plan`: what applying documents, or rebalancing, would do, before anything is done.

mod rebalance;

use std::{fmt::Write as _, process::ExitCode};

use anyhow::bail;
use clap::Args;
use skep_api::{
    Kind,
    convert::struct_from_value,
    proto::{ObjectRef, PlanRequest, PlanResponse, PlannedObject, PlannedPlacement, Validation, WriteResult},
};

use crate::{
    args::qualified_singular, context::Context, errors::Failures, manifests::FileArgs, output,
    writes::ValidateArgs,
};

/// Longer values are cut where they are shown.
const VALUE_CHARS_MAX: usize = 200;

/// What `skep plan` takes.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  skep plan -f app.yaml
  skep apply -f app.yaml --check-revision 5f2c9d0a1b3e4c67
  skep plan --rebalance

Nothing is changed. The plan says what would be created and changed, where each new pod would go, which pods would have to make
room, and what stands in the way. Its revision names what it would do: `skep apply --check-revision` goes through only if it
would still do that.

With --rebalance it says which pods would be moved to other nodes and why, which moves are under way, and what holds others
back.

Exit code: 0 where all of it can be done, 1 where something fails or stands in the way.")]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    files: FileArgs,
    #[command(flatten)]
    validate: ValidateArgs,
    /// Show which pods rebalancing would move instead
    #[arg(long, conflicts_with_all = ["files", "recursive", "validate"])]
    rebalance: bool,
}

/// Asks the server for a plan and shows it.
///
/// # Errors
/// Where no file is given, one cannot be read, or the server cannot be asked.
pub(crate) async fn run(args: PlanArgs, ctx: &Context) -> anyhow::Result<ExitCode> {
    if args.rebalance {
        return rebalance::run(ctx).await;
    }
    if args.files.is_empty() {
        bail!("must specify -f, such as -f app.yaml, or --rebalance");
    }
    let mut failures = Failures::default();
    let documents = args.files.load(ctx, &mut failures);
    if failures.any() {
        return Ok(failures.exit_code());
    }
    if documents.is_empty() {
        bail!("no objects passed to plan");
    }
    let request = PlanRequest {
        objects: documents
            .into_iter()
            .filter_map(|document| struct_from_value(document.value))
            .collect(),
        validation: Validation::from(args.validate.validate).into(),
    };
    let plan = ctx.client().await?.plan(request).await?.into_inner();
    output::write(&text(&plan))?;
    let waits = plan.placements.iter().any(|placement| placement.node.is_empty());
    let fails = plan.objects.iter().any(|object| !object.error.is_empty());
    Ok(if fails || waits || !plan.obstacles.is_empty() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn text(plan: &PlanResponse) -> String {
    let mut text = String::new();
    plan.objects
        .iter()
        .for_each(|object| add_object(&mut text, object));
    if !plan.placements.is_empty() {
        text.push_str("\nNew pods:\n");
        plan.placements
            .iter()
            .for_each(|placement| add_placement(&mut text, placement));
    }
    if !plan.preemptions.is_empty() {
        text.push_str("\nPods that have to make room:\n");
        for one in &plan.preemptions {
            let budget = if one.violates_budget {
                ", against its disruption budget"
            } else {
                ""
            };
            line(
                &mut text,
                format_args!(
                    "  {} (priority {}) on {}: {}{budget}",
                    name(one.pod.as_ref()),
                    one.priority,
                    one.node,
                    one.why
                ),
            );
        }
    }
    if !plan.obstacles.is_empty() {
        text.push_str("\nIn the way:\n");
        plan.obstacles
            .iter()
            .for_each(|obstacle| line(&mut text, format_args!("  {obstacle}")));
    }
    line(&mut text, format_args!("\nrevision: {}", plan.revision));
    text
}

fn add_object(text: &mut String, object: &PlannedObject) {
    let name = name(object.r#ref.as_ref());
    if !object.error.is_empty() {
        return line(text, format_args!("! {name} fails: {}", object.error));
    }
    match object.result() {
        WriteResult::Created => line(text, format_args!("+ {name} is created")),
        WriteResult::Unchanged => line(text, format_args!("= {name} is unchanged")),
        WriteResult::Configured | WriteResult::Unspecified => line(text, format_args!("~ {name} is changed")),
    }
    for change in &object.changes {
        let value = |value: &str| match value {
            "" => "(nothing)".to_owned(),
            value => shortened(value),
        };
        line(
            text,
            format_args!(
                "    {}: {} -> {}",
                change.field,
                value(&change.before),
                value(&change.after)
            ),
        );
    }
    object
        .warnings
        .iter()
        .for_each(|warning| line(text, format_args!("    note: {warning}")));
}

fn add_placement(text: &mut String, placement: &PlannedPlacement) {
    let name = name(placement.owner.as_ref());
    let pods = if placement.pods == 1 {
        "1 pod".to_owned()
    } else {
        format!("{} pods", placement.pods)
    };
    if placement.node.is_empty() {
        let why = if placement.why.is_empty() {
            "a node"
        } else {
            &placement.why
        };
        line(text, format_args!("  {name}: {pods} would wait: {why}"));
    } else {
        line(text, format_args!("  {name}: {pods} on {}", placement.node));
    }
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a string takes all text");
}

fn shortened(value: &str) -> String {
    match value.char_indices().nth(VALUE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    }
}

/// `deployment.apps/web`, with its namespace where that is not the default one.
fn name(object: Option<&ObjectRef>) -> String {
    let Some(object) = object else {
        return String::new();
    };
    let kind = Kind::from_name(&object.kind).map_or_else(|| object.kind.clone(), qualified_singular);
    let namespace = match object.namespace.as_str() {
        "" | "default" => String::new(),
        namespace => format!(" in {namespace}"),
    };
    format!("{kind}/{}{namespace}", object.name)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use skep_api::proto::{FieldChange, PlannedPreemption};

    use super::*;

    fn object(kind: &str, name: &str) -> Option<ObjectRef> {
        Some(ObjectRef {
            kind: kind.to_owned(),
            namespace: "default".to_owned(),
            name: name.to_owned(),
        })
    }

    #[test]
    fn a_plan_reads_like_what_will_happen() {
        let change = FieldChange {
            field: "spec.replicas".to_owned(),
            before: "2".to_owned(),
            after: "3".to_owned(),
        };
        let plan = PlanResponse {
            objects: vec![
                PlannedObject {
                    r#ref: object("Deployment", "web"),
                    result: WriteResult::Configured.into(),
                    changes: vec![change],
                    ..PlannedObject::default()
                },
                PlannedObject {
                    r#ref: object("Pod", "one"),
                    error: "it is not to be".to_owned(),
                    ..PlannedObject::default()
                },
            ],
            placements: vec![
                PlannedPlacement {
                    owner: object("Deployment", "web"),
                    node: "n1".to_owned(),
                    pods: 2,
                    ..PlannedPlacement::default()
                },
                PlannedPlacement {
                    owner: object("Deployment", "web"),
                    pods: 1,
                    why: "0/1 nodes fit".to_owned(),
                    ..PlannedPlacement::default()
                },
            ],
            preemptions: vec![PlannedPreemption {
                pod: object("Pod", "small"),
                priority: 0,
                node: "n1".to_owned(),
                why: "makes room for pod default/web-1".to_owned(),
                violates_budget: true,
            }],
            obstacles: vec!["deployment/web: not all pods can be created".to_owned()],
            revision: "5f2c".to_owned(),
        };
        expect![[r#"
            ~ deployment.apps/web is changed
                spec.replicas: 2 -> 3
            ! pod/one fails: it is not to be

            New pods:
              deployment.apps/web: 2 pods on n1
              deployment.apps/web: 1 pod would wait: 0/1 nodes fit

            Pods that have to make room:
              pod/small (priority 0) on n1: makes room for pod default/web-1, against its disruption budget

            In the way:
              deployment/web: not all pods can be created

            revision: 5f2c
        "#]]
        .assert_eq(&text(&plan));
    }
}
