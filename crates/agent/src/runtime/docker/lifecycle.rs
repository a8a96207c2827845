//! Starting, stopping, removing and finding containers.

use std::{collections::BTreeMap, time::Duration};

use bollard::{
    Docker as Client,
    errors::Error,
    models::ContainerUpdateBody,
    query_parameters::{
        ListContainersOptionsBuilder, RemoveContainerOptionsBuilder, StartContainerOptions,
        StopContainerOptionsBuilder, WaitContainerOptionsBuilder,
    },
};
use futures::{StreamExt, TryStreamExt, stream};

use super::{convert, error};
use crate::runtime::{Container, RuntimeError};

/// For the engine to notice an end after the grace period, and to say so.
const STOP_MARGIN: Duration = Duration::from_secs(60);
/// For a removal that someone else has begun.
const REMOVAL_MAX: Duration = Duration::from_secs(30);
/// Containers looked at at the same time.
const PARALLEL_LOOKS: usize = 8;
/// What runc says when it may not set the OOM score, among a few other failures before a process is there.
const EARLY_FAILURE: &str = "can't get final child's PID from pipe";

pub(super) async fn start(client: &Client, id: &str) -> Result<(), RuntimeError> {
    match client.start_container(id, None::<StartContainerOptions>).await {
        Ok(()) => Ok(()),
        Err(failure) => Err(explain(client, id, error::from(failure)).await),
    }
}

/// Tells a refused OOM score from other failures: the engine's words alone do not.
async fn explain(client: &Client, id: &str, failure: RuntimeError) -> RuntimeError {
    match failure {
        RuntimeError::Engine(message) if message.contains(EARLY_FAILURE) => {
            let found = client.inspect_container(id, None).await.ok();
            let score = found.and_then(|container| container.host_config?.oom_score_adj);
            if score.is_some_and(|score| score < 0) {
                RuntimeError::OomScore(message)
            } else {
                RuntimeError::Engine(message)
            }
        }
        other => other,
    }
}

pub(super) async fn stop(client: &Client, id: &str, grace: Duration) -> Result<(), RuntimeError> {
    // The client's usual patience would cut a long grace period short.
    let client = client.clone().with_timeout(grace + STOP_MARGIN);
    let seconds = grace.as_secs() + u64::from(grace.subsec_nanos() > 0);
    let options = StopContainerOptionsBuilder::new()
        .t(i32::try_from(seconds).unwrap_or(i32::MAX))
        .build();
    unless_gone(client.stop_container(id, Some(options)).await)
}

pub(super) async fn remove(client: &Client, id: &str) -> Result<(), RuntimeError> {
    let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
    match client.remove_container(id, Some(options)).await {
        Err(failure) if error::status(&failure) == Some(409) => removed_by_other(client, id, failure).await,
        other => unless_gone(other),
    }
}

/// Waits until a removal that is under way has ended.
async fn removed_by_other(client: &Client, id: &str, failure: Error) -> Result<(), RuntimeError> {
    let options = WaitContainerOptionsBuilder::new().condition("removed").build();
    let mut wait = client.wait_container(id, Some(options));
    let ended = tokio::time::timeout(REMOVAL_MAX, async { while wait.next().await.is_some() {} }).await;
    match (ended, client.inspect_container(id, None).await) {
        (Ok(()), Err(gone)) if error::is_not_found(&gone) => Ok(()),
        _ => Err(error::from(failure)),
    }
}

pub(super) async fn set_cpus(client: &Client, id: &str, cpus: &str) -> Result<(), RuntimeError> {
    let update = ContainerUpdateBody {
        cpuset_cpus: Some(cpus.to_owned()),
        ..ContainerUpdateBody::default()
    };
    unless_gone(client.update_container(id, update).await)
}

pub(super) async fn find(client: &Client, id: &str) -> Result<Option<Container>, RuntimeError> {
    match client.inspect_container(id, None).await {
        Ok(found) => Ok(Some(convert::container(found))),
        Err(failure) if error::is_not_found(&failure) => Ok(None),
        Err(failure) => Err(error::from(failure)),
    }
}

/// The engine's list leaves out how containers ended, so each is looked at.
pub(super) async fn list(
    client: &Client,
    labels: &BTreeMap<String, String>,
) -> Result<Vec<Container>, RuntimeError> {
    let options = ListContainersOptionsBuilder::new()
        .all(true)
        .filters(&convert::label_filters(labels))
        .build();
    let found = client.list_containers(Some(options)).await.map_err(error::from)?;
    let ids = found.into_iter().filter_map(|summary| summary.id);
    let looks = stream::iter(ids)
        .map(|id| async move { find(client, &id).await })
        .buffered(PARALLEL_LOOKS);
    looks
        .try_filter_map(async |container| Ok(container))
        .try_collect()
        .await
}

fn unless_gone(result: Result<(), Error>) -> Result<(), RuntimeError> {
    match result {
        Err(failure) if !error::is_not_found(&failure) => Err(error::from(failure)),
        _ => Ok(()),
    }
}
