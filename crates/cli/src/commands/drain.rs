//! `skep drain`: empties nodes, as far as the disruption budgets allow it, replacements first.

mod pods;

use std::{
    collections::{BTreeMap, BTreeSet},
    process::ExitCode,
    time::Duration,
};

use anyhow::bail;
use clap::Args;
use serde_json::json;
use skep_api::{
    Kind, Pod,
    proto::{DeleteRequest, EvictRequest},
    status,
};
use tokio::time::Instant;

use super::live;
use crate::{
    args::{self, ResourceId},
    context::Context,
    duration,
    errors::{self, Failures},
    output,
    reads::Listing,
    writes::{DryRun, DryRunArgs, request_id},
};
use pods::{Choice, choose};

/// How often pods that wait are asked for again.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// A week: what `--timeout 0` stands for.
const WAIT_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

/// What `skep drain` takes.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  skep drain node-1 --ignore-daemonsets --delete-emptydir-data
  skep drain -l rack=7 --timeout 10m

The node is cordoned, then its pods are evicted as far as the disruption budgets allow it. Pods of a replica set are replaced
before they go: a budget that allows no pod to be missing allows that. What blocks is told as it happens; at the deadline the
command ends with exit code 1 and says what is left and why. `skep uncordon` lets the node take pods again.")]
pub(crate) struct DrainArgs {
    /// Names of nodes
    #[arg(value_name = "NODE")]
    nodes: Vec<String>,
    /// The labels to select nodes by
    #[arg(short = 'l', long, value_name = "LABELS")]
    selector: Option<String>,
    /// The labels to select pods by; others stay
    #[arg(long, value_name = "LABELS", default_value = "", hide_default_value = true)]
    pod_selector: String,
    /// How long to try, such as 10m; 0 is as long as it takes
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, default_value = "0")]
    timeout: Duration,
    /// Seconds that each pod gets to end gracefully; -1 is its own period
    #[arg(long, value_name = "SECONDS", default_value_t = -1, allow_hyphen_values = true)]
    grace_period: i64,
    /// Evict pods that nobody makes again
    #[arg(long)]
    force: bool,
    /// Leave pods of daemon sets where they are
    #[arg(long)]
    ignore_daemonsets: bool,
    /// Evict pods whose emptyDir volumes are lost with them
    #[arg(long)]
    delete_emptydir_data: bool,
    /// Delete pods whatever the disruption budgets say
    #[arg(long)]
    disable_eviction: bool,
    /// Start the replacements of replicated pods before they go
    #[arg(long, default_value_t = true, num_args = 0..=1, require_equals = true, default_missing_value = "true",
          action = clap::ArgAction::Set)]
    start_first: bool,
    #[command(flatten)]
    dry_run: DryRunArgs,
}

/// Cordons the nodes and empties them, one after the other.
///
/// # Errors
/// Where no node is named, the server cannot be asked, or pods are on a node that may not be evicted; what is left at the
/// deadline is printed.
pub(crate) async fn run(args: DrainArgs, ctx: &Context) -> anyhow::Result<ExitCode> {
    let nodes = nodes(&args, ctx).await?;
    let mut failures = Failures::default();
    for node in &nodes {
        failures.keep(cordon(ctx, node, &args).await);
    }
    if failures.any() {
        return Ok(failures.exit_code());
    }
    let patience = if args.timeout.is_zero() {
        WAIT_MAX
    } else {
        args.timeout
    };
    let deadline = Instant::now() + patience;
    for node in &nodes {
        failures.keep(drain(ctx, node, &args, deadline).await);
    }
    Ok(failures.exit_code())
}

async fn nodes(args: &DrainArgs, ctx: &Context) -> anyhow::Result<Vec<ResourceId>> {
    match (&args.selector, args.nodes.is_empty()) {
        (Some(_), false) => bail!("cannot specify both a node name and a --selector option"),
        (None, true) => bail!("name the node, or select nodes with -l"),
        (Some(selector), true) => {
            let listing = Listing {
                label_selector: selector.clone(),
                ..Listing::new(Kind::Node, "")
            };
            let found = listing.objects(ctx).await?;
            Ok(found.iter().filter_map(ResourceId::of_document).collect())
        }
        (None, false) => args
            .nodes
            .iter()
            .map(|word| match args::parse_target(word, Kind::Node)? {
                (Kind::Node, name) => Ok(ResourceId::new(Kind::Node, "", name)),
                (kind, _) => bail!("a {} cannot be drained, only nodes can", kind.singular()),
            })
            .collect(),
    }
}

async fn cordon(ctx: &Context, node: &ResourceId, args: &DrainArgs) -> anyhow::Result<()> {
    if args.dry_run.dry_run != DryRun::None {
        crate::reads::get(ctx, node).await?;
        return output::write(&format!("{node} cordoned{}\n", args.dry_run.dry_run));
    }
    let patch = json!({ "spec": { "unschedulable": true } });
    let changed = live::merge(ctx, node, "", patch).await?;
    output::write(&format!(
        "{node} {}cordoned\n",
        if changed { "" } else { "already " }
    ))
}

/// Empties one node.
async fn drain(ctx: &Context, node: &ResourceId, args: &DrainArgs, deadline: Instant) -> anyhow::Result<()> {
    let choice = chosen(ctx, node, args).await?;
    if !choice.refused.is_empty() {
        bail!("unable to drain {node}: {}", choice.refused.join("; "));
    }
    for warning in &choice.warnings {
        eprintln!("Warning: {warning}");
    }
    if args.dry_run.dry_run != DryRun::None {
        return rehearse(ctx, node, args, &choice.pods).await;
    }
    let mut work = Work::new(ctx, args, &choice.pods);
    while !work.waiting.is_empty() {
        work.ask().await?;
        let left = Listing {
            field_selector: format!("spec.nodeName={}", node.name),
            ..Listing::new(Kind::Pod, "")
        };
        let left = left.objects(ctx).await?;
        let uids: BTreeSet<&str> = left
            .iter()
            .filter_map(|pod| pod["metadata"]["uid"].as_str())
            .collect();
        work.settle(&uids)?;
        if work.waiting.is_empty() {
            break;
        }
        if Instant::now() >= deadline {
            bail!("{node} is not drained in time; left are\n{}", work.left());
        }
        tokio::time::sleep_until((Instant::now() + ASK_AGAIN).min(deadline)).await;
    }
    output::write(&format!("{node} drained\n"))
}

async fn chosen(ctx: &Context, node: &ResourceId, args: &DrainArgs) -> anyhow::Result<Choice> {
    let listing = Listing {
        label_selector: args.pod_selector.clone(),
        field_selector: format!("spec.nodeName={}", node.name),
        ..Listing::new(Kind::Pod, "")
    };
    let pods = listing.objects(ctx).await?;
    let pods: Vec<Pod> = pods.into_iter().map(live::typed).collect::<anyhow::Result<_>>()?;
    Ok(choose(pods, args))
}

async fn rehearse(ctx: &Context, node: &ResourceId, args: &DrainArgs, pods: &[Pod]) -> anyhow::Result<()> {
    for pod in pods {
        let name = format!("{}/{}", pod.metadata.namespace, pod.metadata.name);
        let blocked = match evict(ctx, args, pod, true).await {
            Ok(()) => String::new(),
            Err(status) => format!(", blocked now: {}", why(&status)),
        };
        output::write(&format!("evicting pod {name}{}{blocked}\n", args.dry_run.dry_run))?;
    }
    output::write(&format!("{node} drained{}\n", args.dry_run.dry_run))
}

/// The pods that are still there, and what each waits for.
struct Work<'a> {
    ctx: &'a Context,
    args: &'a DrainArgs,
    /// By uid.
    waiting: BTreeMap<String, Waiting>,
}

struct Waiting {
    pod: Pod,
    /// True once its end was granted.
    granted: bool,
    /// What stood in the way last.
    blocked: String,
}

impl<'a> Work<'a> {
    fn new(ctx: &'a Context, args: &'a DrainArgs, pods: &[Pod]) -> Self {
        let waiting = |pod: &Pod| Waiting {
            pod: pod.clone(),
            granted: pod.metadata.is_deleting(),
            blocked: String::new(),
        };
        Self {
            ctx,
            args,
            waiting: pods
                .iter()
                .map(|pod| (pod.metadata.uid.clone(), waiting(pod)))
                .collect(),
        }
    }

    /// Asks for the end of each pod that was not granted one.
    async fn ask(&mut self) -> anyhow::Result<()> {
        for waiting in self.waiting.values_mut().filter(|waiting| !waiting.granted) {
            let pod = &waiting.pod;
            let name = format!("{}/{}", pod.metadata.namespace, pod.metadata.name);
            match evict(self.ctx, self.args, pod, false).await {
                Ok(()) => {
                    waiting.granted = true;
                    output::write(&format!("evicting pod {name}\n"))?;
                }
                Err(status) if matches!(errors::reason(&status).as_str(), "NotFound" | "Conflict") => {
                    waiting.granted = true;
                }
                Err(status) if errors::reason(&status) == "TooManyRequests" => {
                    let why = why(&status);
                    if why != waiting.blocked {
                        output::write(&format!("pod {name} waits: {why}\n"))?;
                        waiting.blocked = why;
                    }
                }
                Err(status) => return Err(status.into()),
            }
        }
        Ok(())
    }

    /// Takes note of which pods are still on the node.
    fn settle(&mut self, left: &BTreeSet<&str>) -> anyhow::Result<()> {
        let gone: Vec<String> = self
            .waiting
            .keys()
            .filter(|uid| !left.contains(uid.as_str()))
            .cloned()
            .collect();
        for waiting in gone.iter().filter_map(|uid| self.waiting.remove(uid)) {
            let done = if self.args.disable_eviction {
                "deleted"
            } else {
                "evicted"
            };
            output::write(&format!("pod/{} {done}\n", waiting.pod.metadata.name))?;
        }
        Ok(())
    }

    /// `  default/web-1: what stands in the way`, for each pod.
    fn left(&self) -> String {
        let line = |waiting: &Waiting| {
            let why = if waiting.granted {
                "is ending"
            } else {
                waiting.blocked.as_str()
            };
            format!(
                "  {}/{}: {why}",
                waiting.pod.metadata.namespace, waiting.pod.metadata.name
            )
        };
        self.waiting.values().map(line).collect::<Vec<_>>().join("\n")
    }
}

async fn evict(ctx: &Context, args: &DrainArgs, pod: &Pod, dry_run: bool) -> Result<(), tonic::Status> {
    let meta = &pod.metadata;
    let grace_period_seconds = Some(args.grace_period).filter(|seconds| *seconds >= 0);
    let client = ctx.client().await;
    let mut client = client.map_err(|error| tonic::Status::unavailable(format!("{error:#}")))?;
    if args.disable_eviction {
        let request = DeleteRequest {
            r#ref: Some(ResourceId::new(Kind::Pod, &meta.namespace, &meta.name).to_ref()),
            grace_period_seconds,
            uid: meta.uid.clone(),
            dry_run,
            request_id: request_id(),
            ..DeleteRequest::default()
        };
        return client.delete(request).await.map(drop);
    }
    let request = EvictRequest {
        namespace: meta.namespace.clone(),
        pod: meta.name.clone(),
        grace_period_seconds,
        uid: meta.uid.clone(),
        dry_run,
        request_id: request_id(),
        start_first: args.start_first && !dry_run,
        ..EvictRequest::default()
    };
    client.evict(request).await.map(drop)
}

/// What stands in the way, in words.
fn why(status: &tonic::Status) -> String {
    let causes = status::detail(status).unwrap_or_default().causes;
    if causes.is_empty() {
        return status.message().to_owned();
    }
    let told: Vec<String> = causes.into_iter().map(|cause| cause.message).collect();
    told.join("; ")
}
