//! `skep rollout undo`: back to an earlier revision.

use std::process::ExitCode;

use anyhow::{anyhow, bail};
use clap::Args;
use serde_json::Value;
use skep_api::Deployment;

use super::{
    deployments,
    revisions::{self, CHANGE_CAUSE, Revision},
};
use crate::{
    args::{ResourceId, Selection},
    commands::live,
    context::Context,
    errors::Failures,
    output,
};

/// What `skep rollout undo` takes.
#[derive(Args, Debug)]
pub(super) struct UndoArgs {
    #[command(flatten)]
    selection: Selection,
    /// The revision to go back to; 0 is the one before the present one
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    to_revision: i64,
}

pub(super) async fn run(args: &UndoArgs, ctx: &Context) -> anyhow::Result<ExitCode> {
    let mut failures = Failures::default();
    for id in deployments(&args.selection, ctx).await? {
        if let Some(done) = failures.keep(undo(ctx, &id, args.to_revision).await) {
            output::write(&format!("{id} {done}\n"))?;
        }
    }
    Ok(failures.exit_code())
}

async fn undo(ctx: &Context, id: &ResourceId, number: i64) -> anyhow::Result<String> {
    let deployment = live::get_as::<Deployment>(ctx, id).await?;
    if deployment.spec.paused {
        bail!(
            "you cannot rollback a paused deployment; resume it first with `skep rollout resume deployment/{}` \
             and try again",
            id.name
        );
    }
    let revisions = revisions::list(ctx, &deployment).await?;
    let target = target(&deployment, &revisions, number)?;
    if target.template == deployment.spec.template {
        return Ok(format!(
            "skipped rollback (current template already matches revision {})",
            target.number
        ));
    }
    live::edit(ctx, id, |document| go_back(document, target)).await?;
    Ok("rolled back".to_owned())
}

/// The revision of this number; for 0 the newest one before the present one.
fn target<'a>(
    deployment: &Deployment,
    revisions: &'a [Revision],
    number: i64,
) -> anyhow::Result<&'a Revision> {
    if number != 0 {
        let found = revisions.iter().find(|revision| revision.number == number);
        return found.ok_or_else(|| anyhow!("unable to find specified revision {number} in history"));
    }
    let name = &deployment.metadata.name;
    let present = revisions::current(deployment).max(revisions.last().map_or(0, |newest| newest.number));
    let earlier = revisions.iter().rev().find(|revision| revision.number < present);
    earlier.ok_or_else(|| {
        anyhow!("no rollout history found for deployment \"{name}\": it has one revision only")
    })
}

fn go_back(document: &mut Value, target: &Revision) -> anyhow::Result<()> {
    document["spec"]["template"] = serde_json::to_value(&target.template)?;
    match &target.change_cause {
        Some(cause) => document["metadata"]["annotations"][CHANGE_CAUSE] = cause.as_str().into(),
        None => {
            if let Some(annotations) = document["metadata"]["annotations"].as_object_mut() {
                annotations.remove(CHANGE_CAUSE);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use skep_testkit::deployment;

    use super::*;

    fn revision(number: i64) -> Revision {
        let template = deployment("web", 1)
            .image(&format!("web:v{number}"))
            .build()
            .spec
            .template;
        Revision {
            number,
            name: format!("web-{number}"),
            change_cause: (number == 1).then(|| "first".to_owned()),
            template,
        }
    }

    fn target_number(numbers: &[i64], wanted: i64) -> Result<i64, String> {
        let web = deployment("web", 1)
            .annotation("deployment.kubernetes.io/revision", "3")
            .build();
        let revisions: Vec<_> = numbers.iter().copied().map(revision).collect();
        target(&web, &revisions, wanted)
            .map(|revision| revision.number)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn undo_goes_to_the_revision_before_or_to_the_one_named() {
        assert_eq!(target_number(&[1, 2, 3], 0), Ok(2));
        assert_eq!(target_number(&[1, 2, 3], 1), Ok(1));
        assert_eq!(
            target_number(&[1, 3], 2),
            Err("unable to find specified revision 2 in history".to_owned())
        );
        assert!(
            target_number(&[3], 0)
                .unwrap_err()
                .starts_with("no rollout history found for deployment \"web\"")
        );
    }

    #[test]
    fn going_back_takes_template_and_cause() {
        let mut document =
            json!({ "metadata": { "annotations": { CHANGE_CAUSE: "third" } }, "spec": { "replicas": 2 } });
        go_back(&mut document, &revision(1)).unwrap();
        assert_eq!(
            document["spec"]["template"]["spec"]["containers"][0]["image"],
            "web:v1"
        );
        assert_eq!(document["spec"]["replicas"], 2);
        assert_eq!(document["metadata"]["annotations"][CHANGE_CAUSE], "first");
        go_back(&mut document, &revision(2)).unwrap();
        assert!(document["metadata"]["annotations"].get(CHANGE_CAUSE).is_none());
    }
}
