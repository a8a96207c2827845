//! `skep rollout history`: the revisions that can be gone back to.

use std::{fmt::Write, process::ExitCode};

use anyhow::anyhow;
use clap::Args;
use skep_api::Deployment;

use super::{
    deployments,
    revisions::{self, Revision},
};
use crate::{
    args::{ResourceId, Selection},
    commands::live,
    context::Context,
    errors::Failures,
    output::{self, yaml},
};

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
    template(
        id,
        revision.ok_or_else(|| anyhow!("unable to find the specified revision {number} of {id}"))?,
    )
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

fn template(id: &ResourceId, revision: &Revision) -> anyhow::Result<String> {
    let mut text = format!("{id} with revision #{}\nPod Template:\n", revision.number);
    for line in yaml(&serde_json::to_value(&revision.template)?)?.lines() {
        writeln!(text, "  {line}").expect("a string takes all text");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use skep_api::Kind;
    use skep_testkit::deployment;

    use super::*;

    fn revision(number: i64, cause: Option<&str>) -> Revision {
        let template = deployment("web", 1).image("web:v2").build().spec.template;
        Revision {
            number,
            change_cause: cause.map(str::to_owned),
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
    fn a_revision_shows_its_template() {
        let id = ResourceId::new(Kind::Deployment, "default", "web");
        let text = template(&id, &revision(2, None)).unwrap();
        assert!(
            text.starts_with("deployment.apps/web with revision #2\nPod Template:\n"),
            "{text}"
        );
        assert!(text.contains("    - image: web:v2\n"), "{text}");
    }
}
