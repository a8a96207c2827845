//! Looks at a container: what it is doing, and its last words where it has ended.

use std::sync::Arc;

use futures::StreamExt;
use skep_api::{Container as PodContainer, TerminationMessagePolicy};

use super::outcome::Seen;
use crate::{
    blocking::blocking,
    pod::{Desired, HOLDER, Run},
    runtime::{Container, LogOptions, Output, RunState, RuntimeError},
    shared::Shared,
    spec::ContainerLabels,
};

/// Kubernetes' bounds on last words from a log.
const LOG_LINES_MAX: u64 = 80;
const LOG_BYTES_MAX: usize = 2048;

/// Asks the engine about a container.
pub(super) async fn look(shared: &Arc<Shared>, desired: &Desired, id: &str) -> Result<Seen, RuntimeError> {
    let Some(container) = shared.runtime.container(id).await? else {
        return Ok(Seen::Gone(id.to_owned()));
    };
    let seen = examine(shared, desired, &container).await;
    Ok(seen.map_or_else(|| Seen::Gone(id.to_owned()), |(name, run)| Seen::Run(name, run)))
}

/// The run that a container is; `None` where its labels are not those of a pod's.
pub(super) async fn examine(
    shared: &Arc<Shared>,
    desired: &Desired,
    container: &Container,
) -> Option<(String, Run)> {
    let labels = ContainerLabels::parse(&container.labels)?;
    let (name, mut run) = Run::of(container, &labels);
    if run.is_over() && name != HOLDER {
        let wanted = desired
            .containers()
            .map(|(container, _)| container)
            .find(|container| container.name == name);
        run.last_words = last_words(shared, &labels.pod_uid, wanted, &name, &run).await;
    }
    Some((name, run))
}

async fn last_words(
    shared: &Arc<Shared>,
    uid: &str,
    container: Option<&PodContainer>,
    name: &str,
    run: &Run,
) -> String {
    let (owned, uid, attempt) = (Arc::clone(shared), uid.to_owned(), run.attempt);
    let file_of = name.to_owned();
    let words = blocking(move || owned.volumes.termination_message(&uid, &file_of, attempt)).await;
    let from_log = container.is_some_and(|container| {
        container.termination_message_policy == TerminationMessagePolicy::FallbackToLogsOnError
    });
    let failed = matches!(run.state, RunState::Exited { code, .. } if code != 0);
    if words.is_empty() && from_log && failed {
        log_tail(shared, &run.id).await
    } else {
        words
    }
}

/// The end of its log; empty where it cannot be had.
async fn log_tail(shared: &Shared, id: &str) -> String {
    let options = LogOptions {
        tail_lines: Some(LOG_LINES_MAX),
        ..LogOptions::default()
    };
    let Ok(mut log) = shared.runtime.logs(id, &options).await else {
        return String::new();
    };
    let mut text = Vec::new();
    while let Some(Ok(Output::Stdout(bytes) | Output::Stderr(bytes))) = log.next().await {
        text.extend_from_slice(&bytes);
        let excess = text.len().saturating_sub(LOG_BYTES_MAX);
        text.drain(..excess);
    }
    String::from_utf8_lossy(&text).into_owned()
}
