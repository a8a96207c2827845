//! Server and agent side by side: if one ends, both do.

use std::{future::Future, sync::Arc, time::Duration};

use anyhow::{Context, anyhow};
use skep_agent::AgentConfig;
use skep_server::{Ready, ServerConfig, ServerError};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::{Notify, oneshot},
    task::{JoinError, JoinSet},
};
use tokio_util::sync::CancellationToken;

use super::notify;

/// How long the parts may take to end.
const DRAIN: Duration = Duration::from_secs(20);

/// What a part ended with, and which one it was.
type Ended = (&'static str, anyhow::Result<()>);

/// The parts that run.
pub(crate) struct Parts {
    tasks: JoinSet<Ended>,
    /// `None` where there is no server among them.
    ready: Option<oneshot::Receiver<Ready>>,
    /// Started once there is a server to dial.
    agent: Option<AgentConfig>,
    shutdown: CancellationToken,
}

impl Parts {
    /// Starts the server; the agent follows once the server answers.
    pub(super) fn start(server: ServerConfig, agent: AgentConfig) -> Self {
        Self {
            agent: Some(agent),
            ..Self::server(server)
        }
    }

    /// Starts a server alone.
    pub(crate) fn server(mut server: ServerConfig) -> Self {
        let locked = Arc::new(Notify::new());
        server.locked = Some(locked.clone());
        tokio::spawn(async move {
            locked.notified().await;
            notify::locked();
        });
        let (sender, ready) = oneshot::channel();
        let mut parts = Self::none(Some(ready));
        let shutdown = parts.shutdown.clone();
        parts.add("server", async move {
            skep_server::run(server, sender, shutdown).await.map_err(advise)
        });
        parts
    }

    /// Starts an agent alone.
    pub(crate) fn agent(agent: AgentConfig) -> Self {
        let mut parts = Self {
            agent: Some(agent),
            ..Self::none(None)
        };
        parts.start_agent();
        parts
    }

    fn none(ready: Option<oneshot::Receiver<Ready>>) -> Self {
        Self {
            tasks: JoinSet::new(),
            ready,
            agent: None,
            shutdown: CancellationToken::new(),
        }
    }

    fn start_agent(&mut self) {
        if let Some(agent) = self.agent.take() {
            let shutdown = self.shutdown.clone();
            self.add(
                "agent",
                async move { Ok(skep_agent::run(agent, shutdown).await?) },
            );
        }
    }

    fn add(&mut self, name: &'static str, part: impl Future<Output = anyhow::Result<()>> + Send + 'static) {
        self.tasks.spawn(async move { (name, part.await) });
    }

    /// Calls `up` once the server answers, and ends all parts on a signal or where one ends by itself.
    ///
    /// # Errors
    /// What made a part end by itself, or where a part does not end in time.
    pub(crate) async fn watch(mut self, up: impl AsyncFnOnce(&Ready)) -> anyhow::Result<()> {
        let mut signals = Signals::new()?;
        let mut up = Some(up);
        let mut ready = self.ready.take();
        let outcome = loop {
            tokio::select! {
                Ok(told) = told(&mut ready), if up.is_some() => {
                    self.start_agent();
                    if let Some(up) = up.take() {
                        up(&told).await;
                    }
                }
                name = signals.next() => {
                    tracing::info!("{name}: skep ends, its containers go on running; another signal ends it at once");
                    break Ok(());
                }
                Some(ended) = self.tasks.join_next() => break Err(unexpected(ended)),
            }
        };
        notify::stopping();
        self.shutdown.cancel();
        let drained = tokio::select! {
            drained = tokio::time::timeout(DRAIN, self.drain()) => drained.unwrap_or_else(|_| Err(too_slow())),
            name = signals.next() => Err(anyhow!("{name} again: ended before all was done")),
        };
        outcome.and(drained)
    }

    /// Waits until all parts have ended; the first failure counts.
    async fn drain(&mut self) -> anyhow::Result<()> {
        let mut outcome = Ok(());
        while let Some(ended) = self.tasks.join_next().await {
            let ended = ended
                .map_err(anyhow::Error::from)
                .and_then(|(name, result)| result.context(name));
            outcome = outcome.and(ended);
        }
        outcome
    }
}

/// Waits for ever where there is no server.
async fn told(ready: &mut Option<oneshot::Receiver<Ready>>) -> Result<Ready, oneshot::error::RecvError> {
    match ready {
        Some(ready) => ready.await,
        None => std::future::pending().await,
    }
}

/// What to do about a server that does not start.
fn advise(error: ServerError) -> anyhow::Error {
    match error {
        ServerError::Listen { address, source } => {
            anyhow!("cannot listen on {address}: {source}; choose another address with --listen")
        }
        error => error.into(),
    }
}

fn too_slow() -> anyhow::Error {
    anyhow!("the parts did not end within {} s", DRAIN.as_secs())
}

/// The error of a part that ended although nobody asked it to.
fn unexpected(ended: Result<Ended, JoinError>) -> anyhow::Error {
    match ended {
        Ok((name, Ok(()))) => anyhow!("the {name} ended by itself"),
        Ok((name, Err(error))) => error.context(format!("the {name} failed")),
        Err(error) => anyhow!("a part ended by a defect of skep: {error}"),
    }
}

/// The signals that end the process.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts() -> (Parts, oneshot::Sender<Ready>) {
        let (sender, ready) = oneshot::channel();
        (Parts::none(Some(ready)), sender)
    }

    #[tokio::test]
    async fn a_part_that_fails_ends_the_others_and_its_error_is_told() {
        let (mut parts, _ready) = parts();
        let shutdown = parts.shutdown.clone();
        parts.add("agent", async move {
            shutdown.cancelled().await;
            Ok(())
        });
        parts.add("server", async { Err(anyhow!("the port is taken")) });
        let error = parts.watch(async |_: &Ready| {}).await.unwrap_err();
        assert_eq!(format!("{error:#}"), "the server failed: the port is taken");
    }

    #[tokio::test]
    async fn a_part_that_ends_without_a_reason_is_a_failure_too() {
        let (mut parts, _ready) = parts();
        parts.add("agent", async { Ok(()) });
        let error = parts.watch(async |_: &Ready| {}).await.unwrap_err();
        assert_eq!(error.to_string(), "the agent ended by itself");
    }

    #[tokio::test]
    async fn what_is_to_be_done_once_ready_is_done_once() {
        let (mut parts, ready) = parts();
        let (told, hears) = oneshot::channel();
        parts.add("server", async move {
            let address = Ready {
                socket: "/s".into(),
                address: None,
                cluster_id: "c".into(),
            };
            let _ = ready.send(address);
            let _ = hears.await;
            Err(anyhow!("done"))
        });
        let mut calls = 0;
        let error = parts
            .watch(async |ready: &Ready| {
                calls += 1;
                assert_eq!(ready.cluster_id, "c");
                let _ = told.send(());
            })
            .await
            .unwrap_err();
        assert_eq!(
            (calls, format!("{error:#}").as_str()),
            (1, "the server failed: done")
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_that_does_not_end_is_not_waited_for_for_ever() {
        let (mut parts, _ready) = parts();
        parts.add("agent", std::future::pending());
        parts.add("server", async { Ok(()) });
        let error = parts.watch(async |_: &Ready| {}).await.unwrap_err();
        assert_eq!(error.to_string(), "the server ended by itself");
    }
}
