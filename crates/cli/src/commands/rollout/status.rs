//! `skep rollout status`: how far a rollout is, until it is finished, and why where it is not.

use std::{io::IsTerminal, process::ExitCode, time::Duration};

use anyhow::{anyhow, bail};
use clap::Args;
use indicatif::ProgressBar;
use serde_json::Value;
use skep_api::{Condition, Deployment};

use super::{deployments, revisions};
use crate::{
    args::{ResourceId, Selection},
    commands::{describe, live},
    context::Context,
    duration,
    errors::Failures,
    output,
};

/// What `skep rollout status` takes.
#[derive(Args, Debug)]
#[command(after_help = "\
Ends with 0 once the rollout is finished, and with 1, saying why, where it made no progress in
progressDeadlineSeconds or the time is up.")]
pub(super) struct StatusArgs {
    #[command(flatten)]
    selection: Selection,
    /// Wait until it is finished; --watch=false looks once
    #[arg(short, long, num_args = 0..=1, require_equals = true, default_value_t = true, default_missing_value = "true",
          action = clap::ArgAction::Set, hide_default_value = true)]
    watch: bool,
    /// How long to wait, such as 5m; 0 waits for ever
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, default_value = "0")]
    timeout: Duration,
    /// End with an error where this is not the newest revision any more
    #[arg(long, value_name = "NUMBER", default_value_t = 0, hide_default_value = true)]
    revision: i64,
}

pub(super) async fn run(args: &StatusArgs, ctx: &Context) -> anyhow::Result<ExitCode> {
    let mut failures = Failures::default();
    for id in deployments(&args.selection, ctx).await? {
        let progress = Progress::new();
        let waited = within(args.timeout, follow(args, ctx, &id, &progress)).await;
        progress.end();
        if let Err(error) = waited {
            failures.add(&error);
            explain(ctx, &id).await;
        }
    }
    Ok(failures.exit_code())
}

/// What a future gives, unless it takes too long; 0 waits for ever.
async fn within(limit: Duration, future: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    if limit.is_zero() {
        return future.await;
    }
    let timed_out = || anyhow!("timed out waiting for the rollout to finish");
    tokio::time::timeout(limit, future)
        .await
        .unwrap_or_else(|_| Err(timed_out()))
}

async fn follow(
    args: &StatusArgs,
    ctx: &Context,
    id: &ResourceId,
    progress: &Progress,
) -> anyhow::Result<()> {
    let mut shown = String::new();
    live::follow(ctx, id, async |document: Option<&Value>| {
        let document = document.ok_or_else(|| anyhow!("{id} not found: there is no rollout to wait for"))?;
        let deployment = live::typed::<Deployment>(document.clone())?;
        check_revision(&deployment, args.revision)?;
        match look(&deployment)? {
            Seen::Finished(text) => progress.finished(&text).map(Some),
            Seen::Waiting(text) => {
                if text != shown {
                    progress.waiting(&text)?;
                }
                shown = text;
                Ok((!args.watch).then_some(()))
            }
        }
    })
    .await
}

fn check_revision(deployment: &Deployment, wanted: i64) -> anyhow::Result<()> {
    let running = revisions::current(deployment);
    if wanted != 0 && wanted != running {
        bail!("desired revision ({wanted}) is different from the running revision ({running})");
    }
    Ok(())
}

/// How far a rollout is.
#[derive(Debug, PartialEq)]
enum Seen {
    Finished(String),
    Waiting(String),
}

fn look(deployment: &Deployment) -> anyhow::Result<Seen> {
    let (name, status) = (&deployment.metadata.name, &deployment.status);
    if status.observed_generation < deployment.metadata.generation {
        return Ok(Seen::Waiting(
            "Waiting for deployment spec update to be observed...".to_owned(),
        ));
    }
    let progressing = Condition::find(&status.conditions, "Progressing");
    if progressing.is_some_and(|condition| condition.reason == "ProgressDeadlineExceeded") {
        bail!("deployment \"{name}\" exceeded its progress deadline");
    }
    let (desired, updated, available) = (
        deployment.spec.replicas,
        status.updated_replicas,
        status.available_replicas,
    );
    let rest = if updated < desired {
        format!("{updated} out of {desired} new replicas have been updated...")
    } else if status.replicas > updated {
        format!(
            "{} old replicas are pending termination...",
            status.replicas - updated
        )
    } else if available < updated {
        format!("{available} of {updated} updated replicas are available...")
    } else {
        return Ok(Seen::Finished(format!(
            "deployment \"{name}\" successfully rolled out"
        )));
    };
    Ok(Seen::Waiting(format!(
        "Waiting for deployment \"{name}\" rollout to finish: {rest}"
    )))
}

/// Prints what the server says the rollout is waiting for.
async fn explain(ctx: &Context, id: &ResourceId) {
    if let Ok(text) = describe::text(ctx, id).await {
        for reason in reasons(&text) {
            eprintln!("  it waits for {reason}");
        }
    }
}

/// The lines of the field `Waiting for` in a description.
fn reasons(description: &str) -> Vec<&str> {
    const LABEL: &str = "Waiting for:";
    let mut lines = description.lines().skip_while(|line| !line.starts_with(LABEL));
    let first = lines.next().map(|line| line[LABEL.len()..].trim());
    first
        .into_iter()
        .chain(lines.take_while(|line| line.starts_with(' ')).map(str::trim))
        .collect()
}

/// What is shown meanwhile: a spinner on a terminal, else a line for each step.
struct Progress {
    spinner: Option<ProgressBar>,
}

impl Progress {
    fn new() -> Self {
        let spinner = (std::io::stdout().is_terminal() && std::io::stderr().is_terminal())
            .then(ProgressBar::new_spinner);
        if let Some(spinner) = &spinner {
            spinner.enable_steady_tick(Duration::from_millis(120));
        }
        Self { spinner }
    }

    fn waiting(&self, text: &str) -> anyhow::Result<()> {
        match &self.spinner {
            Some(spinner) => {
                spinner.set_message(text.to_owned());
                Ok(())
            }
            None => output::write(&format!("{text}\n")),
        }
    }

    fn finished(&self, text: &str) -> anyhow::Result<()> {
        self.end();
        output::write(&format!("{text}\n"))
    }

    fn end(&self) {
        if let Some(spinner) = &self.spinner {
            spinner.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use skep_api::ConditionStatus;
    use skep_testkit::deployment;

    use super::*;

    fn seen(updated: i32, total: i32, available: i32) -> Seen {
        let mut web = deployment("web", 3).build();
        web.status.observed_generation = 1;
        (
            web.status.updated_replicas,
            web.status.replicas,
            web.status.available_replicas,
        ) = (updated, total, available);
        look(&web).unwrap()
    }

    fn waiting(rest: &str) -> Seen {
        Seen::Waiting(format!(
            "Waiting for deployment \"web\" rollout to finish: {rest}"
        ))
    }

    #[test]
    fn each_stage_of_a_rollout_has_kubectls_words() {
        assert_eq!(
            seen(1, 4, 3),
            waiting("1 out of 3 new replicas have been updated...")
        );
        assert_eq!(
            seen(3, 5, 3),
            waiting("2 old replicas are pending termination...")
        );
        assert_eq!(seen(3, 3, 2), waiting("2 of 3 updated replicas are available..."));
        assert_eq!(
            seen(3, 3, 3),
            Seen::Finished("deployment \"web\" successfully rolled out".to_owned())
        );
    }

    #[test]
    fn a_change_that_nobody_has_seen_is_waited_for() {
        let unseen = deployment("web", 0).build();
        assert_eq!(
            look(&unseen).unwrap(),
            Seen::Waiting("Waiting for deployment spec update to be observed...".to_owned())
        );
    }

    #[test]
    fn a_rollout_without_progress_is_an_error() {
        let mut web = deployment("web", 3).build();
        web.status.observed_generation = 1;
        let stuck = Condition::new(
            "Progressing",
            ConditionStatus::False,
            "ProgressDeadlineExceeded",
            "",
        );
        web.status.conditions.push(stuck);
        assert_eq!(
            look(&web).unwrap_err().to_string(),
            "deployment \"web\" exceeded its progress deadline"
        );
    }

    #[test]
    fn another_revision_than_the_wanted_one_is_an_error() {
        let web = deployment("web", 3)
            .annotation("deployment.kubernetes.io/revision", "4")
            .build();
        assert!(check_revision(&web, 0).is_ok() && check_revision(&web, 4).is_ok());
        let error = check_revision(&web, 3).unwrap_err().to_string();
        assert_eq!(
            error,
            "desired revision (3) is different from the running revision (4)"
        );
    }

    #[test]
    fn reasons_are_the_lines_of_one_field() {
        let text = "Name:         web\nWaiting for:  pod a: no image\n              2 old pods to end\nPod Template:\n  Labels:  x\n";
        assert_eq!(reasons(text), ["pod a: no image", "2 old pods to end"]);
        assert!(reasons("Name:  web\n").is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_ends_when_the_time_is_up() {
        let error = within(Duration::from_secs(5), std::future::pending())
            .await
            .unwrap_err();
        assert_eq!(error.to_string(), "timed out waiting for the rollout to finish");
    }
}
