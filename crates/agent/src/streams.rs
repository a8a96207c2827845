//! What can be read of a pod's containers: their runs, and the log of one. For those who ask through a server, and on the machine.

use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, stream::BoxStream};
use skep_api::proto::LogsRequest;

use crate::{
    clock,
    runtime::{Container, LogOptions, Output, RuntimeError},
    shared::Shared,
    spec::{ContainerLabels, label, node_labels},
};

/// Why a stream cannot go on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// `NotFound`, `BadRequest` or `Internal`.
    pub(crate) reason: &'static str,
    /// In words.
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn new(reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
        }
    }

    /// From the engine's.
    pub(crate) fn engine(error: &RuntimeError) -> Self {
        let reason = if matches!(error, RuntimeError::NotFound(_)) {
            "NotFound"
        } else {
            "Internal"
        };
        Self::new(reason, error.to_string())
    }
}

/// The log of a container, of its present run or the one before.
pub(crate) async fn log(
    shared: &Shared,
    pod_uid: &str,
    request: &LogsRequest,
) -> Result<BoxStream<'static, Result<Bytes, Refusal>>, Refusal> {
    let runs = runs(shared, pod_uid, &request.container).await?;
    let run = choose(&runs, request)?;
    let since = request
        .since_seconds
        .and_then(|seconds| u64::try_from(seconds).ok());
    let now = clock::now();
    let options = LogOptions {
        follow: request.follow,
        tail_lines: request.tail_lines.and_then(|lines| u64::try_from(lines).ok()),
        since: since.map(|seconds| before(now, Duration::from_secs(seconds))),
        timestamps: request.timestamps,
    };
    let log = shared.runtime.logs(&run.id, &options).await;
    let log = log.map_err(|error| Refusal::engine(&error))?;
    let text = log.map(|chunk| match chunk {
        Ok(Output::Stdout(bytes) | Output::Stderr(bytes)) => Ok(bytes),
        Err(error) => Err(Refusal::engine(&error)),
    });
    Ok(text.boxed())
}

/// The runs of a container, newest first. An empty name takes the pod's only container.
pub(crate) async fn runs(shared: &Shared, pod_uid: &str, container: &str) -> Result<Vec<Container>, Refusal> {
    let mut labels = node_labels(shared.cluster(), &shared.config.node_name);
    labels.insert(label::POD_UID.to_owned(), pod_uid.to_owned());
    let all = shared.runtime.containers(&labels).await;
    let all = all.map_err(|error| Refusal::engine(&error))?;
    let mut runs: Vec<(u32, String, Container)> = all
        .into_iter()
        .filter_map(|found| {
            let labels = ContainerLabels::parse(&found.labels)?;
            Some((labels.attempt, labels.container_name, found))
        })
        .filter(|(_, name, _)| !name.is_empty() && (container.is_empty() || name == container))
        .collect();
    let mut names: Vec<&str> = runs.iter().map(|(_, name, _)| name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    if names.len() > 1 {
        let message = format!(
            "the pod has several containers; name one of: {}",
            names.join(", ")
        );
        return Err(Refusal::new("BadRequest", message));
    }
    runs.sort_by_key(|(attempt, ..)| std::cmp::Reverse(*attempt));
    Ok(runs.into_iter().map(|(_, _, found)| found).collect())
}

fn choose<'a>(runs: &'a [Container], request: &LogsRequest) -> Result<&'a Container, Refusal> {
    let wanted = if request.previous {
        runs.get(1)
    } else {
        runs.first()
    };
    wanted.ok_or_else(|| {
        let (container, pod) = (&request.container, &request.pod);
        if request.previous && !runs.is_empty() {
            let message = format!("previous terminated container {container:?} in pod {pod:?} not found");
            return Refusal::new("NotFound", message);
        }
        let message =
            format!("container {container:?} in pod {pod:?} is waiting to start: it has no log yet");
        let reason = if request.previous {
            "NotFound"
        } else {
            "BadRequest"
        };
        Refusal::new(reason, message)
    })
}

fn before(now: skep_api::Time, ago: Duration) -> skep_api::Time {
    let millis = i64::try_from(ago.as_millis()).unwrap_or(i64::MAX);
    skep_api::Time::from_millis(now.as_millis().saturating_sub(millis))
}
