//! One simulated agent: a session, and another one with the next server when it breaks.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use rand::RngExt;
use skep_api::{
    convert,
    proto::{
        AgentMessage, Assignments, Heartbeat, Hello, PodReports, ServerMessage, agent_message::Message as Up,
        node_client::NodeClient, server_message::Message as Down,
    },
};
use skep_trust::{Connector, Tls};
use tokio::{
    sync::{Semaphore, SemaphorePermit, mpsc},
    time::{Instant, sleep_until},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use super::{
    options::SimOptions,
    pods::{Pods, clock},
    stats::{Counters, Standing},
};

/// As real agents do; see there.
const PING_EVERY: Duration = Duration::from_secs(10);
const PONG_WITHIN: Duration = Duration::from_secs(5);
const NODE_TOLD_EVERY: Duration = Duration::from_secs(300);
const WAIT_MIN: Duration = Duration::from_millis(50);
const WAIT_MAX: Duration = Duration::from_secs(10);

/// How long the first words of a server may take.
const WELCOME_WITHIN: Duration = Duration::from_secs(30);

/// One simulated agent.
pub(super) struct SimAgent {
    pub(super) name: String,
    pub(super) number: usize,
    pub(super) servers: Vec<String>,
    pub(super) tls: Tls,
    pub(super) options: Arc<SimOptions>,
    pub(super) counters: Arc<Counters>,
    /// Bounds the sessions that begin at once.
    pub(super) beginning: Arc<Semaphore>,
}

/// A session that was welcomed.
struct Session<'a> {
    agent: &'a SimAgent,
    up: mpsc::Sender<AgentMessage>,
    down: Streaming<ServerMessage>,
    heartbeat: Duration,
    node_told: Instant,
    standing: Option<Standing<'a>>,
    beginning: Option<SemaphorePermit<'a>>,
}

#[derive(Debug, thiserror::Error)]
enum SessionError {
    #[error("{0}")]
    Dial(#[from] tonic::transport::Error),
    #[error("{}", .0.message())]
    Status(Box<tonic::Status>),
    #[error("the session was closed")]
    Closed,
    #[error("no welcome came in time")]
    NoWelcome,
}

impl SimAgent {
    /// Runs for ever.
    pub(super) async fn run(mut self) {
        let mut pods = Pods::new(self.number, self.options.clone(), self.counters.clone());
        let mut failures = 0;
        loop {
            let begun = Instant::now();
            if let Err(error) = self.session(&mut pods).await {
                self.counters.failed(format!("{}: {error}", self.name));
            }
            failures = if begun.elapsed() > WAIT_MAX {
                0
            } else {
                failures + 1
            };
            self.servers.rotate_left(1);
            let wait = WAIT_MIN.saturating_mul(1 << failures.min(8)).min(WAIT_MAX);
            tokio::time::sleep(jittered(wait, 0.5)).await;
        }
    }

    async fn session(&self, pods: &mut Pods) -> Result<(), SessionError> {
        let beginning = self.beginning.acquire().await.ok();
        let begin = tokio::time::timeout(WELCOME_WITHIN, self.begin(beginning));
        let mut session = begin.await.map_err(|_| SessionError::NoWelcome)??;
        session.report(pods.all()).await?;
        session.run(pods).await
    }

    async fn begin<'a>(
        &'a self,
        beginning: Option<SemaphorePermit<'a>>,
    ) -> Result<Session<'a>, SessionError> {
        let endpoint = skep_trust::endpoint(&self.servers[0])?
            .http2_keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PONG_WITHIN);
        let channel = endpoint
            .connect_with_connector(Connector::new(self.tls.client_config()))
            .await?;
        let mut client = NodeClient::new(channel);
        let (up, messages) = mpsc::channel(16);
        let hello = Hello {
            node_name: self.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            node: Some(self.node()),
        };
        self.send(&up, Up::Hello(hello)).await?;
        let mut down = client
            .session(ReceiverStream::new(messages))
            .await
            .map_err(status)?
            .into_inner();
        let first = down.message().await.map_err(status)?;
        let Some(Down::Welcome(welcome)) = first.and_then(|first| first.message) else {
            return Err(SessionError::NoWelcome);
        };
        // Not all of them are told of at the same moment.
        let since = jittered(NODE_TOLD_EVERY, 0.0);
        Ok(Session {
            agent: self,
            up,
            down,
            heartbeat: Duration::from_secs(u64::from(welcome.heartbeat_seconds.max(1))),
            node_told: Instant::now().checked_sub(since).unwrap_or_else(Instant::now),
            standing: None,
            beginning,
        })
    }

    /// The Node as it is now.
    fn node(&self) -> skep_api::Struct {
        let mut node = self.options.node(&self.name, self.number);
        for condition in &mut node.status.conditions {
            condition.last_heartbeat_time = Some(clock());
        }
        convert::to_struct(&node.into())
    }

    async fn send(&self, up: &mpsc::Sender<AgentMessage>, message: Up) -> Result<(), SessionError> {
        self.counters.messages_up.fetch_add(1, Ordering::Relaxed);
        let message = AgentMessage {
            message: Some(message),
        };
        up.send(message).await.map_err(|_| SessionError::Closed)
    }
}

impl Session<'_> {
    async fn run(&mut self, pods: &mut Pods) -> Result<(), SessionError> {
        let mut silent_until = Instant::now() + jittered(self.heartbeat / 2, 0.0);
        loop {
            let due = pods.next_at();
            let next = due.map_or(silent_until, |due| due.min(silent_until));
            tokio::select! {
                message = self.down.message() => {
                    let message = message.map_err(status)?.ok_or(SessionError::Closed)?;
                    self.take(message, pods);
                    continue;
                }
                () = sleep_until(next) => {}
            }
            let reports = pods.due(Instant::now());
            if reports.is_empty() {
                self.beat().await?;
            } else {
                self.report(reports).await?;
            }
            silent_until = Instant::now() + jittered(self.heartbeat / 2, 0.8);
        }
    }

    fn take(&mut self, message: ServerMessage, pods: &mut Pods) {
        self.agent.counters.messages_down.fetch_add(1, Ordering::Relaxed);
        match message.message {
            Some(Down::Assignments(news)) => self.assign(news, pods),
            Some(Down::Welcome(welcome)) => {
                self.heartbeat = Duration::from_secs(u64::from(welcome.heartbeat_seconds.max(1)));
            }
            Some(Down::Ack(_) | Down::OpenTunnel(_) | Down::TellAgain(_)) | None => {}
        }
    }

    fn assign(&mut self, news: Assignments, pods: &mut Pods) {
        pods.assign(news, Instant::now());
        if self.standing.is_none() {
            self.standing = Some(self.agent.counters.stands());
            self.beginning = None;
        }
    }

    async fn report(&self, pods: Vec<skep_api::proto::PodReport>) -> Result<(), SessionError> {
        if pods.is_empty() {
            return Ok(());
        }
        self.agent.send(&self.up, Up::Pods(PodReports { pods })).await
    }

    /// Nothing has happened: the node is told of from time to time, a sign of life otherwise.
    async fn beat(&mut self) -> Result<(), SessionError> {
        if self.node_told.elapsed() < NODE_TOLD_EVERY {
            return self.agent.send(&self.up, Up::Heartbeat(Heartbeat {})).await;
        }
        self.node_told = Instant::now();
        self.agent.send(&self.up, Up::Node(self.agent.node())).await
    }
}

fn status(status: tonic::Status) -> SessionError {
    SessionError::Status(Box::new(status))
}

/// A random part of a duration, at least this share of it.
fn jittered(duration: Duration, least: f64) -> Duration {
    duration.mul_f64(rand::rng().random_range(least..1.0))
}
