//! Follows the engine: what happens to this node's containers, a list of them now and then, and whether it is there at all.

use std::{sync::Arc, time::Duration};

use futures::StreamExt;
use skep_api::Time;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, MissedTickBehavior},
};

use crate::{
    clock,
    runtime::{Container, ContainerEvent, EngineInfo, RuntimeError},
    shared::Shared,
    spec::node_labels,
};

const BACKOFF_MIN: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// What the engine tells.
#[derive(Debug)]
pub(crate) enum EngineNews {
    /// It is there. A list follows.
    Up,
    /// It does not answer.
    Away,
    /// All this node's containers, and when they were asked for.
    List(Time, Vec<Container>),
    /// Something happened to a container.
    Event(ContainerEvent),
}

/// Whether the engine is there.
#[derive(Clone, Debug, Default)]
pub(crate) struct EngineState {
    /// Its last answer.
    pub(crate) info: Option<EngineInfo>,
    /// Since when it has not answered, in its own words why.
    pub(crate) away: Option<(Time, String)>,
}

/// Follows the engine for ever; the node's labels are known from the cluster's first word on.
pub(crate) async fn follow(
    shared: Arc<Shared>,
    news: mpsc::Sender<EngineNews>,
    state: watch::Sender<EngineState>,
) {
    let mut wait = BACKOFF_MIN;
    loop {
        let begin = Instant::now();
        let error = match follow_once(&shared, &news, &state).await {
            Ok(()) => RuntimeError::Unavailable("its stream of events has ended".to_owned()),
            Err(error) => error,
        };
        tracing::warn!(%error, "the engine is away");
        state.send_modify(|state| {
            let since = state.away.as_ref().map_or_else(clock::now, |(since, _)| *since);
            state.away = Some((since, error.to_string()));
        });
        if news.send(EngineNews::Away).await.is_err() {
            return;
        }
        wait = if begin.elapsed() > BACKOFF_MAX {
            BACKOFF_MIN
        } else {
            (wait * 2).min(BACKOFF_MAX)
        };
        tokio::time::sleep(wait).await;
    }
}

async fn follow_once(
    shared: &Shared,
    news: &mpsc::Sender<EngineNews>,
    state: &watch::Sender<EngineState>,
) -> Result<(), RuntimeError> {
    let labels = node_labels(shared.cluster(), &shared.config.node_name);
    let info = shared.runtime.info().await?;
    let mut events = shared.runtime.events(&labels).await?;
    let mut resync = tokio::time::interval(shared.config.resync.max(Duration::from_secs(1)));
    resync.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_told = false;
    loop {
        tokio::select! {
            event = events.next() => match event {
                Some(event) => drop(news.send(EngineNews::Event(event)).await),
                None => return Ok(()),
            },
            _ = resync.tick() => {
                let asked_at = clock::now();
                let containers = shared.runtime.containers(&labels).await?;
                if !is_told {
                    state.send_replace(EngineState { info: Some(info.clone()), away: None });
                    let _ = news.send(EngineNews::Up).await;
                    is_told = true;
                }
                let _ = news.send(EngineNews::List(asked_at, containers)).await;
            }
        }
    }
}
