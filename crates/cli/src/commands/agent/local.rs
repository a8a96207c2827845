//! What the agent of this machine says, also while no server is in reach.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::Args;
use serde_json::Value;
use skep_api::{
    Time, convert,
    proto::{LocalPodsRequest, LocalPodsResponse, LogsRequest, local_client::LocalClient},
};
use tonic::transport::Channel;

use super::{DATA_DIR, HereArgs};
use crate::{
    context::Context,
    duration,
    output::{self, Table},
    target::Target,
};

#[derive(Args, Clone, Debug)]
pub(super) struct LogsArgs {
    /// The pod's name
    pod: String,
    /// The container, where the pod has several
    #[arg(short, long)]
    container: Option<String>,
    /// Go on with what is written from now on
    #[arg(short, long)]
    follow: bool,
    /// The run before the present one
    #[arg(short, long)]
    previous: bool,
    /// The last lines only
    #[arg(long, value_name = "NUMBER")]
    tail: Option<i64>,
    /// The time before each line
    #[arg(long)]
    timestamps: bool,
    /// Where the agent keeps everything
    #[arg(long, value_name = "FOLDER", default_value = DATA_DIR)]
    data_dir: PathBuf,
}

/// Shows the pods of this node.
///
/// # Errors
/// Where no agent runs here.
pub(super) async fn pods(here: &HereArgs, ctx: &Context) -> anyhow::Result<ExitCode> {
    let mut client = client(&here.data_dir, ctx).await?;
    let answer = client.pods(LocalPodsRequest {}).await?.into_inner();
    let now = Time::from(jiff::Timestamp::now());
    output::write(&shown(answer, now))?;
    Ok(ExitCode::SUCCESS)
}

/// Shows what a container of this node wrote.
///
/// # Errors
/// Where no agent runs here, or it knows no such container.
pub(super) async fn logs(args: &LogsArgs, ctx: &Context) -> anyhow::Result<ExitCode> {
    let mut client = client(&args.data_dir, ctx).await?;
    let request = LogsRequest {
        namespace: ctx.namespace().to_owned(),
        pod: args.pod.clone(),
        container: args.container.clone().unwrap_or_default(),
        follow: args.follow,
        previous: args.previous,
        tail_lines: args.tail,
        since_seconds: None,
        timestamps: args.timestamps,
    };
    let mut chunks = client.logs(request).await?.into_inner();
    while let Some(chunk) = chunks.message().await? {
        output::write_bytes(&chunk.data)?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn client(data_dir: &std::path::Path, ctx: &Context) -> anyhow::Result<LocalClient<Channel>> {
    let target = Target::socket(data_dir.join("agent.sock"));
    let channel = target.channel(ctx.globals().request_timeout).await;
    let channel =
        channel.context("no agent runs on this machine, or it keeps its data elsewhere (--data-dir)")?;
    Ok(LocalClient::new(channel).max_decoding_message_size(usize::MAX))
}

fn shown(answer: LocalPodsResponse, now: Time) -> String {
    let link = match answer.cut_off_since_millis {
        0 => format!("connected to {}", answer.server),
        since => {
            let since = duration::human(now.since(Time::from_millis(since)));
            let source = if answer.from_checkpoint {
                ", runs what it remembers"
            } else {
                ""
            };
            format!("cut off from every server for {since}{source}")
        }
    };
    let mut table = Table::new(["NAMESPACE", "NAME", "READY", "STATUS", "RESTARTS", "IP"]);
    for pod in answer.pods {
        table.push(row(&convert::value_from_struct(pod)));
    }
    format!("Node {}: {link}\n\n{}", answer.node_name, table.render())
}

fn row(pod: &Value) -> [String; 6] {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let statuses = pod["status"]["containerStatuses"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let containers = pod["spec"]["containers"].as_array().map_or(0, Vec::len);
    let ready = statuses.iter().filter(|status| status["ready"] == true).count();
    let restarts: i64 = statuses
        .iter()
        .filter_map(|status| status["restartCount"].as_i64())
        .sum();
    let waiting = statuses
        .iter()
        .find_map(|status| status["state"]["waiting"]["reason"].as_str());
    let phase = text(&pod["status"]["phase"]);
    let status = if pod["metadata"]["deletionTimestamp"].is_null() {
        waiting.map_or(phase, str::to_owned)
    } else {
        "Terminating".to_owned()
    };
    [
        text(&pod["metadata"]["namespace"]),
        text(&pod["metadata"]["name"]),
        format!("{ready}/{containers}"),
        status,
        restarts.to_string(),
        text(&pod["status"]["podIP"]),
    ]
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_node_that_is_cut_off_says_so_and_shows_its_pods() {
        let pod = json!({
            "metadata": { "namespace": "default", "name": "web-0" },
            "spec": { "containers": [{ "name": "main" }] },
            "status": { "phase": "Running", "podIP": "10.244.1.2",
                        "containerStatuses": [{ "name": "main", "ready": true, "restartCount": 2 }] },
        });
        let answer = LocalPodsResponse {
            node_name: "a".to_owned(),
            cut_off_since_millis: 1000,
            pods: convert::struct_from_value(pod).into_iter().collect(),
            from_checkpoint: true,
            ..LocalPodsResponse::default()
        };
        expect![[r"
            Node a: cut off from every server for 60s, runs what it remembers

            NAMESPACE   NAME    READY   STATUS    RESTARTS   IP
            default     web-0   1/1     Running   2          10.244.1.2
        "]]
        .assert_eq(&shown(answer, Time::from_secs(61)));
    }
}
