//! Keeps one session with the server; begins another when it breaks. Pods go on meanwhile.

use std::{sync::Arc, time::Duration};

use rand::RngExt;
use skep_api::Struct;
use skep_api::proto::{
    AgentMessage, Assignments, Heartbeat, Hello, ServerMessage, Welcome, agent_message::Message as Up,
    server_message::Message as Down,
};
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use super::{
    connect::{DialError, Dialer},
    pace::Pace,
    tunnel::Tunnels,
};
use crate::{AgentError, clock, membership::Membership, shared::Shared};

/// Changes that come this close together ride in one message.
const COALESCE: Duration = Duration::from_millis(3);

/// How long the server may take for its first word.
const WELCOME_TIMEOUT: Duration = Duration::from_secs(10);

/// Keeps a session with the server.
pub(crate) struct Session {
    shared: Arc<Shared>,
    dialer: Dialer,
    membership: Option<Arc<Membership>>,
    assignments: mpsc::Sender<Assignments>,
    /// The Node as the agent would register it.
    node: watch::Receiver<Struct>,
    /// Since when the present session stands.
    stood_since: Option<Instant>,
}

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
enum SessionError {
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error("the server ended the session: {}", .0.message())]
    Status(Box<tonic::Status>),
    #[error("the server closed the session")]
    Closed,
    #[error("the server did not welcome the node within {} s", WELCOME_TIMEOUT.as_secs())]
    NoWelcome,
    #[error(
        "the server is of cluster {theirs}, and this node runs the pods of {ours}: stop the agent, remove its checkpoint, and \
         start it again"
    )]
    OtherCluster { ours: String, theirs: String },
}

fn status(status: tonic::Status) -> SessionError {
    SessionError::Status(Box::new(status))
}

impl Session {
    /// # Errors
    /// Where the server's address makes no sense.
    pub(crate) fn new(
        shared: Arc<Shared>,
        membership: Option<Arc<Membership>>,
        assignments: mpsc::Sender<Assignments>,
        node: watch::Receiver<Struct>,
    ) -> Result<Self, AgentError> {
        let dialer = Dialer::new(&shared.config.server, membership.as_ref())?;
        Ok(Self {
            shared,
            dialer,
            membership,
            assignments,
            node,
            stood_since: None,
        })
    }

    /// Runs for ever.
    pub(crate) async fn run(mut self) {
        let mut pace = Pace::default();
        loop {
            let error = match self.once().await {
                Ok(()) => return,
                Err(error) => error,
            };
            pace.stood(self.stood_since.take().map(|since| since.elapsed()));
            self.shared.link.down(clock::now());
            let server = self.dialer.target();
            let pause = pace.failed(self.dialer.targets());
            if pace.is_worth_telling() {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    server,
                    "no session with the server"
                );
            } else {
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    server,
                    "no session with the server"
                );
            }
            self.dialer.advance();
            let jitter: f64 = rand::rng().random_range(0.5..1.0);
            tokio::time::sleep(pause.mul_f64(jitter)).await;
        }
    }

    /// One session; `Ok` where nobody takes assignments any more.
    async fn once(&mut self) -> Result<(), SessionError> {
        let server = self.dialer.target();
        let mut client = self.dialer.dial().await?;
        let (up, messages) = mpsc::channel(16);
        let _ = up.send(self.hello()).await;
        let answered = client.session(ReceiverStream::new(messages));
        let answered = tokio::time::timeout(WELCOME_TIMEOUT, answered).await;
        let answered = answered.map_err(|_| SessionError::NoWelcome)?;
        let mut down = answered.map_err(status)?.into_inner();
        let (heartbeat, beats) = watch::channel(self.welcome(&mut down).await?);
        self.shared.outbox.restart();
        self.shared.link.up(&server);
        self.stood_since = Some(Instant::now());
        tracing::info!(
            cluster = self.shared.cluster(),
            server,
            "session with the server stands"
        );
        let mut writer = Writer {
            shared: Arc::clone(&self.shared),
            up,
            sent: 0,
        };
        let mut tunnels = Tunnels::new(Arc::clone(&self.shared), client);
        tokio::select! {
            error = writer.run(beats) => Err(error),
            result = self.read(&mut down, &mut tunnels, &heartbeat) => result,
        }
    }

    fn hello(&mut self) -> AgentMessage {
        let hello = Hello {
            node_name: self.shared.config.node_name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            node: Some(self.node.borrow_and_update().clone()),
        };
        AgentMessage {
            message: Some(Up::Hello(hello)),
        }
    }

    /// The server's first word; how often it wants to hear something.
    async fn welcome(&self, down: &mut Streaming<ServerMessage>) -> Result<Duration, SessionError> {
        let first = tokio::time::timeout(WELCOME_TIMEOUT, down.message()).await;
        let first = first.map_err(|_| SessionError::NoWelcome)?.map_err(status)?;
        let Some(Down::Welcome(welcome)) = first.ok_or(SessionError::Closed)?.message else {
            return Err(SessionError::NoWelcome);
        };
        let theirs = &welcome.cluster_id;
        self.shared
            .join_cluster(theirs)
            .map_err(|ours| SessionError::OtherCluster {
                ours,
                theirs: theirs.clone(),
            })?;
        self.heed(&welcome);
        Ok(heartbeat_of(&welcome))
    }

    /// Keeps what the server tells of itself and the others.
    fn heed(&self, welcome: &Welcome) {
        let Some(membership) = &self.membership else {
            return;
        };
        membership.servers().learn(&welcome.servers);
        if !welcome.ca_bundle_pem.is_empty()
            && let Err(error) = membership.trust(&welcome.ca_bundle_pem)
        {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "cannot take over the cluster's CAs");
        }
    }

    async fn read(
        &self,
        down: &mut Streaming<ServerMessage>,
        tunnels: &mut Tunnels,
        heartbeat: &watch::Sender<Duration>,
    ) -> Result<(), SessionError> {
        loop {
            let message = tokio::select! {
                message = down.message() => message.map_err(status)?.ok_or(SessionError::Closed)?,
                () = tunnels.reap() => continue,
            };
            match message.message {
                Some(Down::Assignments(assignments)) => {
                    self.shared.outbox.confirm(assignments.acknowledged);
                    let taken = self.assignments.send(assignments).await;
                    if taken.is_err() {
                        return Ok(());
                    }
                }
                Some(Down::Ack(ack)) => self.shared.outbox.confirm(ack.messages),
                Some(Down::OpenTunnel(open)) => tunnels.open(open),
                Some(Down::TellAgain(_)) => self.shared.outbox.tell_pods_again(),
                Some(Down::Welcome(welcome)) => {
                    self.heed(&welcome);
                    heartbeat.send_replace(heartbeat_of(&welcome));
                }
                None => {}
            }
        }
    }
}

/// How often the server wants to hear something.
fn heartbeat_of(welcome: &Welcome) -> Duration {
    Duration::from_secs(u64::from(welcome.heartbeat_seconds.max(1)))
}

/// Until the next sign of life; agents that began together do not stay in step.
fn pause(heartbeat: Duration) -> Duration {
    (heartbeat / 2).mul_f64(rand::rng().random_range(0.8..1.0))
}

/// Sends what the outbox has, and a heartbeat where it has nothing for a while.
struct Writer {
    shared: Arc<Shared>,
    up: mpsc::Sender<AgentMessage>,
    /// Messages since hello.
    sent: u64,
}

impl Writer {
    async fn run(&mut self, heartbeat: watch::Receiver<Duration>) -> SessionError {
        loop {
            while let Some(message) = self.shared.outbox.next(self.sent + 1) {
                if self.send(message).await.is_err() {
                    return SessionError::Closed;
                }
            }
            tokio::select! {
                () = self.shared.outbox.changed() => tokio::time::sleep(COALESCE).await,
                () = tokio::time::sleep(pause(*heartbeat.borrow())) => {
                    let message = AgentMessage { message: Some(Up::Heartbeat(Heartbeat {})) };
                    if self.send(message).await.is_err() {
                        return SessionError::Closed;
                    }
                }
            }
        }
    }

    async fn send(&mut self, message: AgentMessage) -> Result<(), mpsc::error::SendError<AgentMessage>> {
        self.sent += 1;
        self.up.send(message).await
    }
}
