//! `skep delete`: asks for objects' end and waits for it.

use std::{collections::HashSet, process::ExitCode, time::Duration};

use anyhow::{anyhow, bail};
use clap::{Args, ValueEnum};
use serde_json::Value;
use skep_api::{
    convert::value_from_struct,
    proto::{DeleteRequest, Propagation, watch_event::Type},
};
use tokio::time::{Instant, timeout_at};

use crate::{
    args::{ResourceId, Selection, qualified_singular},
    context::Context,
    duration,
    errors::{self, Failures},
    manifests::in_order_of_deletion,
    output,
    reads::{self, Listing},
    watch::Changes,
    writes::{DryRun, DryRunArgs, request_id},
};

/// A week: what `--timeout 0` stands for.
const WAIT_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

/// What `skep delete` takes.
#[derive(Args, Debug)]
pub(crate) struct DeleteArgs {
    #[command(flatten)]
    selection: Selection,
    /// The fields to select by, such as status.phase=Failed
    #[arg(long, value_name = "FIELDS", default_value = "", hide_default_value = true)]
    field_selector: String,
    /// Objects of all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// Seconds that each object gets to end gracefully; -1 is its own period
    #[arg(long, value_name = "SECONDS", default_value_t = -1, allow_hyphen_values = true)]
    grace_period: i64,
    /// With no grace period, take the objects away without waiting for what runs
    #[arg(long)]
    force: bool,
    /// A grace period of one second
    #[arg(long, conflicts_with = "grace_period")]
    now: bool,
    /// What becomes of the objects that depend on these
    #[arg(long, value_enum, default_value_t, num_args = 0..=1, require_equals = true, default_missing_value = "background")]
    cascade: Cascade,
    /// Wait until the objects are gone
    #[arg(long, default_value_t = true, num_args = 0..=1, require_equals = true, default_missing_value = "true",
          action = clap::ArgAction::Set)]
    wait: bool,
    /// How long to wait for all of them; 0 is as long as it takes
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, default_value = "0")]
    timeout: Duration,
    /// What is not there is no error
    #[arg(long)]
    ignore_not_found: bool,
    #[command(flatten)]
    dry_run: DryRunArgs,
    /// How to tell what was done: name
    #[arg(short, long, value_parser = ["name"], hide_possible_values = true)]
    output: Option<String>,
}

/// What becomes of dependents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Cascade {
    /// They go after the object.
    #[default]
    Background,
    /// They go before the object.
    Foreground,
    /// They stay.
    Orphan,
}

impl DeleteArgs {
    /// Seconds, where they are not left to each object.
    fn grace_seconds(&self) -> Option<i64> {
        match self.grace_period {
            _ if self.now => Some(1),
            seconds if seconds < 0 => self.force.then_some(0),
            // Only force takes an object away while it may still run.
            0 if !self.force => Some(1),
            seconds => Some(seconds),
        }
    }

    fn request(&self, id: &ResourceId) -> DeleteRequest {
        let propagation = match self.cascade {
            Cascade::Background => Propagation::Background,
            Cascade::Foreground => Propagation::Foreground,
            Cascade::Orphan => Propagation::Orphan,
        };
        DeleteRequest {
            r#ref: Some(id.to_ref()),
            propagation: propagation.into(),
            grace_period_seconds: self.grace_seconds(),
            dry_run: self.dry_run.dry_run != DryRun::None,
            request_id: request_id(),
            ..DeleteRequest::default()
        }
    }
}

/// Deletes objects and waits until they are gone, unless told not to.
///
/// # Errors
/// Where the words name no objects or the server cannot be asked; objects not found are printed and make the exit code 1.
pub(crate) async fn run(args: DeleteArgs, ctx: &Context) -> anyhow::Result<ExitCode> {
    if args.force && args.grace_period > 0 {
        bail!("--force and --grace-period greater than 0 cannot be specified together");
    }
    let mut failures = Failures::default();
    let ids = targets(&args, ctx, &mut failures).await?;
    if args.force {
        eprintln!(
            "Warning: Immediate deletion does not wait for confirmation that the running resource has been terminated. \
             The resource may continue to run on the cluster indefinitely."
        );
    }
    let mut ending = Vec::new();
    for id in &ids {
        match delete(&args, id, ctx).await {
            Err(error) if args.ignore_not_found && errors::is_not_found(&error) => {}
            result => ending.extend(failures.keep(result).flatten()),
        }
    }
    if ids.is_empty() && !failures.any() {
        eprintln!("No resources found");
    }
    if args.wait && args.dry_run.dry_run == DryRun::None {
        let wait = if args.timeout.is_zero() {
            WAIT_MAX
        } else {
            args.timeout
        };
        let deadline = Instant::now() + wait;
        for end in &ending {
            failures.keep(end.wait(ctx, deadline).await);
        }
    }
    Ok(failures.exit_code())
}

async fn targets(
    args: &DeleteArgs,
    ctx: &Context,
    failures: &mut Failures,
) -> anyhow::Result<Vec<ResourceId>> {
    let selection = &args.selection;
    if !selection.files.is_empty() && selection.words.is_empty() && !selection.selects() {
        // What files hold of others is deleted even where one cannot be read.
        let documents = in_order_of_deletion(selection.files.load(ctx, failures));
        return Ok(documents.into_iter().map(|document| document.id).collect());
    }
    if args.all_namespaces && !selection.selects() && args.field_selector.is_empty() {
        bail!("--all-namespaces needs --all or a selector");
    }
    let namespace = if args.all_namespaces { "" } else { ctx.namespace() };
    let ids = selection.resolve_in(ctx, namespace, &args.field_selector).await?;
    let mut seen = HashSet::new();
    Ok(ids.into_iter().filter(|id| seen.insert(id.clone())).collect())
}

/// Asks for the end of one object; gives what is to be waited for.
async fn delete(args: &DeleteArgs, id: &ResourceId, ctx: &Context) -> anyhow::Result<Option<Ending>> {
    if args.dry_run.dry_run == DryRun::Client {
        reads::get(ctx, id).await?;
        tell(args, id)?;
        return Ok(None);
    }
    let answer = ctx.client().await?.delete(args.request(id)).await?.into_inner();
    tell(args, id)?;
    let object = value_from_struct(answer.object.unwrap_or_default());
    Ok((!answer.gone).then(|| Ending {
        id: id.clone(),
        uid: uid(&object),
    }))
}

fn tell(args: &DeleteArgs, id: &ResourceId) -> anyhow::Result<()> {
    if args.output.is_some() {
        return output::write(&format!("{id}\n"));
    }
    let word = if args.force && args.grace_seconds() == Some(0) {
        "force deleted"
    } else {
        "deleted"
    };
    output::write(&format!(
        "{} \"{}\" {word}{}\n",
        qualified_singular(id.kind),
        id.name,
        args.dry_run.dry_run
    ))
}

fn uid(object: &Value) -> String {
    object["metadata"]["uid"].as_str().unwrap_or_default().to_owned()
}

/// An object that goes as soon as it may.
struct Ending {
    id: ResourceId,
    uid: String,
}

impl Ending {
    /// Waits until the object is gone, or one of the same name has another uid.
    async fn wait(&self, ctx: &Context, deadline: Instant) -> anyhow::Result<()> {
        let gone = timeout_at(deadline, self.gone(ctx)).await;
        let late = || {
            anyhow!(
                "timed out waiting for the condition on {}/{}",
                self.id.kind.plural(),
                self.id.name
            )
        };
        gone.map_err(|_| late())?
    }

    async fn gone(&self, ctx: &Context) -> anyhow::Result<()> {
        let Some(object) = reads::find(ctx, &self.id)
            .await?
            .filter(|object| uid(object) == self.uid)
        else {
            return Ok(());
        };
        let revision = object["metadata"]["resourceVersion"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let mut changes = Changes::new(&Listing::one(&self.id), false, revision);
        loop {
            let event = changes.next(ctx).await?;
            let changed = event.object.clone().map(value_from_struct).unwrap_or_default();
            // After a gap in the watch a new object of the name tells of the end as well.
            if event.r#type() == Type::Deleted || uid(&changed) != self.uid {
                return Ok(());
            }
        }
    }
}
