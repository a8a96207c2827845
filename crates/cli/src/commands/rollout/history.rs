//! `skep rollout history`: the revisions that can be gone back to.

use std::{fmt::Write, process::ExitCode};

use anyhow::anyhow;
use clap::Args;
use skep_api::{Deployment, Kind};

use super::{
    deployments,
    revisions::{self, Revision},
};
use crate::{
    args::{ResourceId, Selection},
    commands::{describe, live},
    context::Context,
    errors::Failures,
    output,
};

/// The heading of a template in a description.
const TEMPLATE: &str = "Pod Template:";

/// What `skep rollout history` takes.
#[derive(Args, Debug)]
pub(super) struct HistoryArgs {
    #[command(flatten)]
    selection: Selection,
    /// Show this revision's template
    #[arg(long, value_name = "NUMBER", default_value_t = 0, hide_default_value = true)]
    revision: i64,
}

pub(super) async fn run(args: &HistoryArgs, ctx: &Context) -> anyhow::Result<ExitCode> {
    let mut failures = Failures::default();
    for id in deployments(&args.selection, ctx).await? {
        if let Some(text) = failures.keep(history(ctx, &id, args.revision).await) {
            output::write(&text)?;
        }
    }
    Ok(failures.exit_code())
}

async fn history(ctx: &Context, id: &ResourceId, number: i64) -> anyhow::Result<String> {
    let deployment = live::get_as::<Deployment>(ctx, id).await?;
    let revisions = revisions::list(ctx, &deployment).await?;
    if number == 0 {
        return Ok(table(id, &revisions));
    }
    let revision = revisions.iter().find(|revision| revision.number == number);
    let revision =
        revision.ok_or_else(|| anyhow!("unable to find the specified revision {number} of {id}"))?;
    let set = ResourceId::new(Kind::ReplicaSet, &id.namespace, &revision.name);
    let page = describe::text(ctx, &set).await?;
    Ok(format!("{id} with revision #{number}\n{}", template(&page)))
}

fn table(id: &ResourceId, revisions: &[Revision]) -> String {
    if revisions.is_empty() {
        return format!("No rollout history found for {id}.\n");
    }
    let mut text = format!("{id}\n{:<10}CHANGE-CAUSE\n", "REVISION");
    for revision in revisions {
        let cause = revision.change_cause.as_deref().unwrap_or("<none>");
        writeln!(text, "{:<10}{cause}", revision.number).expect("a string takes all text");
    }
    text.push('\n');
    text
}

/// The template's part of a replica set's description.
fn template(page: &str) -> String {
    let mut lines = page.lines().skip_while(|line| *line != TEMPLATE);
    let heading = lines.next().into_iter();
    let indented = lines.take_while(|line| line.starts_with(' '));
    heading.chain(indented).map(|line| format!("{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use skep_testkit::deployment;

    use super::*;

    fn revision(number: i64, cause: Option<&str>) -> Revision {
        let template = deployment("web", 1).image("web:v2").build().spec.template;
        Revision {
            number,
            change_cause: cause.map(str::to_owned),
            name: format!("web-{number}"),
            template,
        }
    }

    #[test]
    fn revisions_are_listed_with_their_cause() {
        let id = ResourceId::new(Kind::Deployment, "default", "web");
        expect![[r"
            deployment.apps/web
            REVISION  CHANGE-CAUSE
            1         <none>
            2         new logo

        "]]
        .assert_eq(&table(&id, &[revision(1, None), revision(2, Some("new logo"))]));
        assert_eq!(
            table(&id, &[]),
            "No rollout history found for deployment.apps/web.\n"
        );
    }

    #[test]
    fn a_template_is_cut_out_of_a_description() {
        let page =
            "Name:  web-1\nPod Template:\n  Labels:  app=web\n  Containers:\n   main:\nEvents:  <none>\n";
        assert_eq!(
            template(page),
            "Pod Template:\n  Labels:  app=web\n  Containers:\n   main:\n"
        );
        assert_eq!(template("Name:  web-1\n"), "");
    }
}
