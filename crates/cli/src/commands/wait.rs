//! `skep wait`: until objects are as they should be.

use std::{process::ExitCode, str::FromStr, time::Duration};

use anyhow::{anyhow, bail};
use clap::Args;
use serde_json::Value;
use tokio::time::Instant;

use super::live;
use crate::{
    args::{ResourceId, Selection},
    context::Context,
    duration,
    errors::Failures,
    output::{self, JsonPath},
};

/// What stands for "for ever" where a timeout is needed.
const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long one look at an object may take after the time is up.
const ONE_LOOK: Duration = Duration::from_secs(10);

/// What `skep wait` takes.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  skep wait --for=condition=Available deployment/web --timeout=2m
  skep wait --for=condition=Ready=false pods -l app=web
  skep wait --for=delete pod/web-0
  skep wait --for=jsonpath='{.status.phase}'=Running pod/web-0")]
pub(crate) struct WaitArgs {
    #[command(flatten)]
    selection: Selection,
    /// What to wait for: create, delete, condition=NAME[=VALUE] or jsonpath=TEMPLATE[=VALUE]
    #[arg(long = "for", value_name = "WHAT")]
    goal: Goal,
    /// How long, such as 2m; 0 looks once, a negative number waits a week
    #[arg(long, value_name = "DURATION", value_parser = timeout, default_value = "30s", allow_hyphen_values = true)]
    timeout: Duration,
}

/// Waits for all objects within one timeout.
///
/// # Errors
/// Where nothing is named or the server cannot be asked; what takes too long is printed.
pub(crate) async fn run(args: WaitArgs, ctx: &Context) -> anyhow::Result<ExitCode> {
    let ids = args.selection.resolve(ctx).await?;
    if ids.is_empty() && args.goal == Goal::Deletion {
        return Ok(ExitCode::SUCCESS);
    }
    if ids.is_empty() {
        bail!("no matching resources found");
    }
    let deadline = Instant::now() + args.timeout;
    let mut failures = Failures::default();
    for id in ids {
        if failures
            .keep(wait(ctx, &id, &args.goal, deadline).await)
            .is_some()
        {
            output::write(&format!("{id} condition met\n"))?;
        }
    }
    Ok(failures.exit_code())
}

async fn wait(ctx: &Context, id: &ResourceId, goal: &Goal, deadline: Instant) -> anyhow::Result<()> {
    let timed_out = || {
        anyhow!(
            "timed out waiting for the condition on {}/{}",
            id.kind.plural(),
            id.name
        )
    };
    let met = live::follow(ctx, id, async |document: Option<&Value>| {
        if document.is_none() && !matches!(goal, Goal::Deletion | Goal::Creation) {
            bail!("{id} not found: it cannot meet the condition");
        }
        match goal.is_met(document)? {
            true => Ok(Some(())),
            false if Instant::now() >= deadline => Err(timed_out()),
            false => Ok(None),
        }
    });
    // However late it is, each object is looked at once.
    let now = Instant::now();
    let limit = if deadline > now { deadline } else { now + ONE_LOOK };
    tokio::time::timeout_at(limit, met)
        .await
        .unwrap_or_else(|_| Err(timed_out()))
}

fn timeout(text: &str) -> Result<Duration, String> {
    if text.starts_with('-') {
        Ok(WEEK)
    } else {
        duration::parse(text)
    }
}

/// What is waited for.
#[derive(Clone, Debug, PartialEq)]
enum Goal {
    /// The object is there.
    Creation,
    /// The object is gone.
    Deletion,
    /// A condition has this status.
    Condition { name: String, status: String },
    /// A template finds this value, or any where none is given.
    JsonPath { path: JsonPath, value: Option<String> },
}

impl FromStr for Goal {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            None if text.eq_ignore_ascii_case("create") => Ok(Self::Creation),
            None if text.eq_ignore_ascii_case("delete") => Ok(Self::Deletion),
            Some(("condition", rest)) if !rest.is_empty() => {
                let (name, status) = rest.split_once('=').unwrap_or((rest, "true"));
                Ok(Self::Condition {
                    name: name.to_owned(),
                    status: status.to_owned(),
                })
            }
            Some(("jsonpath", rest)) if !rest.is_empty() => json_path(rest),
            _ => Err(format!(
                "`{text}` cannot be waited for: write create, delete, condition=NAME[=VALUE] or jsonpath=TEMPLATE[=VALUE]"
            )),
        }
    }
}

/// Reads `{.status.phase}=Running` or `{.status.podIP}`.
fn json_path(text: &str) -> Result<Goal, String> {
    let end = text.rfind('}').map_or(0, |brace| brace + 1);
    let (path, value) = match (text.split_at(end), text.split_once('=')) {
        ((path, ""), _) => (path, None),
        ((path, rest), _) if end > 0 && rest.starts_with('=') => (path, Some(&rest[1..])),
        (_, Some((path, value))) if end == 0 => (path, Some(value)),
        _ if end == 0 => (text, None),
        _ => {
            return Err(format!(
                "`{text}` is no template with a value: write '{{.status.phase}}'=Running"
            ));
        }
    };
    if value == Some("") {
        return Err("jsonpath wait has to have a value after =, or no = at all".to_owned());
    }
    let path = JsonPath::parse_relaxed(path).map_err(|error| error.to_string())?;
    Ok(Goal::JsonPath {
        path,
        value: value.map(|value| value.trim_matches(['\'', '"']).to_owned()),
    })
}

impl Goal {
    fn is_met(&self, document: Option<&Value>) -> anyhow::Result<bool> {
        let Some(document) = document else {
            return Ok(*self == Self::Deletion);
        };
        Ok(match self {
            Self::Creation => true,
            Self::Deletion => false,
            Self::Condition { name, status } => condition_is(document, name, status),
            Self::JsonPath { path, value: None } => !path.find(document)?.is_empty(),
            Self::JsonPath {
                path,
                value: Some(value),
            } => path.render(document)? == *value,
        })
    }
}

/// True where the condition has the status; one that is older than the newest change of the object does not count.
fn condition_is(document: &Value, name: &str, status: &str) -> bool {
    let generation = document["metadata"]["generation"].as_i64().unwrap_or(0);
    if document["status"]["observedGeneration"]
        .as_i64()
        .is_some_and(|observed| observed < generation)
    {
        return false;
    }
    let mut conditions = document["status"]["conditions"].as_array().into_iter().flatten();
    conditions.any(|condition| {
        condition["type"]
            .as_str()
            .is_some_and(|found| found.eq_ignore_ascii_case(name))
            && condition["status"]
                .as_str()
                .is_some_and(|found| found.eq_ignore_ascii_case(status))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn met(goal: &str, document: &Value) -> bool {
        goal.parse::<Goal>().unwrap().is_met(Some(document)).unwrap()
    }

    #[test]
    fn conditions_are_compared_in_any_case() {
        let pod = json!({ "status": { "conditions": [{ "type": "Ready", "status": "True" }] } });
        assert!(met("condition=Ready", &pod));
        assert!(met("condition=ready=True", &pod));
        assert!(!met("condition=Ready=False", &pod));
        assert!(!met("condition=Available", &pod));
    }

    #[test]
    fn a_condition_from_before_the_last_change_does_not_count() {
        let status =
            json!({ "observedGeneration": 1, "conditions": [{ "type": "Available", "status": "True" }] });
        assert!(met(
            "condition=Available",
            &json!({ "metadata": { "generation": 1 }, "status": status })
        ));
        assert!(!met(
            "condition=Available",
            &json!({ "metadata": { "generation": 2 }, "status": status })
        ));
    }

    #[test]
    fn json_paths_take_a_value_or_any() {
        let pod = json!({ "status": { "phase": "Running" } });
        assert!(met("jsonpath={.status.phase}=Running", &pod));
        assert!(met(
            "jsonpath='{.status.phase}'=Running".replace('\'', "").as_str(),
            &pod
        ));
        assert!(!met("jsonpath={.status.phase}=Failed", &pod));
        assert!(met("jsonpath={.status.phase}", &pod));
        assert!(!met("jsonpath={.status.podIP}", &pod));
    }

    #[test]
    fn deletion_is_met_by_absence_only() {
        assert!(Goal::Deletion.is_met(None).unwrap());
        assert!(!met("delete", &json!({})));
        assert!(met("create", &json!({})));
        assert!(!Goal::Creation.is_met(None).unwrap());
    }

    #[test]
    fn what_cannot_be_waited_for_says_what_can() {
        for wrong in [
            "",
            "ready",
            "condition=",
            "jsonpath={.a",
            "jsonpath={.a}=",
            "jsonpath={.a}x",
        ] {
            assert!(wrong.parse::<Goal>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_negative_timeout_is_a_week() {
        assert_eq!(timeout("-1s"), Ok(WEEK));
        assert_eq!(timeout("2m"), Ok(Duration::from_secs(120)));
    }
}
