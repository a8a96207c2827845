//! One conversation with one agent, from its hello to its end.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt, stream::FuturesOrdered};
use skep_api::{
    Condition, EventType, Kind, Node, ObjectKey, ObjectMeta, ObjectReference, Pod, PodStatus, convert,
    proto::{
        Ack, AgentMessage, EventReport, PodReport, ServerMessage, TellAgain, agent_message::Message as Up,
        server_message::Message,
    },
};
use skep_controllers::{EventNote, is_taken_for_lost};
use skep_state::{Change, DeleteOptions, State};
use skep_trust::Certificate;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::Instant,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::{
    assignments::Assignments,
    node_status::status_change,
    register::{node_in, register, reported_node},
    registry::{Down, Place},
    wakes::{News, Sleeper},
};
use crate::{authorize::check_own_node, clock::now, core::Core, failure::Failure, join, peers};

/// Names, on a node, the server that its agent talks to; written when that changes.
pub(crate) const SERVER_ANNOTATION: &str = "skep.io/server";

/// How long a new session may take to say hello.
const HELLO_WITHIN: Duration = Duration::from_secs(10);

/// Messages from one agent that are not on the log yet; beyond that the session stops reading.
const IN_FLIGHT_MAX: usize = 64;

/// Messages to one agent that may wait.
const WAITING_MAX: usize = 8;

/// Acknowledgements of one session are so far apart: one of them speaks for all messages before it.
const ACKS_APART: Duration = Duration::from_secs(1);

/// Begins a session: registers the node, which must be the one of the caller's certificate, then lets the conversation run
/// by itself.
pub(crate) async fn converse(
    core: Arc<Core>,
    caller: Option<Arc<Certificate>>,
    mut up: Streaming<AgentMessage>,
) -> Result<ReceiverStream<Result<ServerMessage, Status>>, Status> {
    let first = tokio::time::timeout(HELLO_WITHIN, up.message())
        .await
        .map_err(|_| Status::deadline_exceeded("no hello came in time"))??;
    let Some(Up::Hello(hello)) = first.and_then(|message| message.message) else {
        return Err(Failure::BadRequest("the first message must be hello".to_owned()).into());
    };
    let mut node = reported_node(&hello)?;
    let identity = caller.as_ref().and_then(|caller| caller.identity.as_ref());
    check_own_node(identity, &node.metadata.name)?;
    core.hear(&node.metadata.name);
    if core.peers.is_some() {
        // The leader must not take the node for lost again before it hears of it in the ordinary way; and a server that
        // is cut off takes no agents.
        peers::tell_leader(&core, vec![node.metadata.name.clone()]).await?;
        let server = core.store.server_id().to_string();
        node.metadata
            .annotations
            .insert(SERVER_ANNOTATION.to_owned(), server);
        let name = &node.metadata.name;
        let shown = caller.and_then(|caller| join::shown_by_node(&core, name, &caller));
        let shown = shown.map(|shown| (join::CERTIFICATE_ANNOTATION.to_owned(), shown));
        node.metadata.annotations.extend(shown);
    }
    register(&core, &node).await?;
    let (down, messages) = mpsc::channel(WAITING_MAX);
    let place = core.sessions.enter(&node.metadata.name, down.clone());
    tracing::info!(
        node = node.metadata.name,
        agent = hello.version,
        "agent connected"
    );
    tokio::spawn(Session { core, node, down }.run(up, place));
    Ok(ReceiverStream::new(messages))
}

struct Session {
    core: Arc<Core>,
    /// As the agent last reported it.
    node: Node,
    down: Down,
}

impl Session {
    async fn run(self, up: Streaming<AgentMessage>, place: Place) {
        let (acks, acked) = watch::channel(0);
        let (core, down, name) = (
            self.core.clone(),
            self.down.clone(),
            self.node.metadata.name.clone(),
        );
        let end = tokio::select! {
            end = self.listen(up, acks) => end,
            end = tell(&core, &name, &down, acked) => end,
            () = place.replaced.cancelled() => Err(Status::aborted("a newer session of this node has begun")),
            () = place.sent_away.cancelled() => Err(Status::unavailable("this server is cut off: dial another one")),
            () = core.shutdown.cancelled() => Err(Status::unavailable("the server is shutting down")),
        };
        tracing::info!(
            node = name,
            end = end.as_ref().err().map(Status::message),
            "agent disconnected"
        );
        if let Err(status) = end {
            // An agent that does not listen any more needs no farewell.
            drop(tokio::time::timeout(Duration::from_secs(1), down.send(Err(status))).await);
        }
    }

    /// Takes messages in, in order, and counts those that are on the log.
    async fn listen(
        mut self,
        mut up: Streaming<AgentMessage>,
        acks: watch::Sender<u64>,
    ) -> Result<(), Status> {
        let mut in_flight = FuturesOrdered::new();
        loop {
            tokio::select! {
                message = up.message(), if in_flight.len() < IN_FLIGHT_MAX => {
                    let Some(message) = message? else { return Ok(()) };
                    self.core.hear(&self.node.metadata.name);
                    in_flight.push_back(self.take(message).await?);
                }
                Some(written) = in_flight.next() => {
                    let ended = |_| Failure::Unavailable("the server is shutting down".to_owned());
                    written.map_err(ended).flatten()?;
                    acks.send_modify(|count| *count += 1);
                }
            }
        }
    }

    async fn take(
        &mut self,
        message: AgentMessage,
    ) -> Result<oneshot::Receiver<Result<(), Failure>>, Status> {
        let state = self.core.view();
        let (mut changes, mut notes) = (Vec::new(), Vec::new());
        match message.message {
            Some(Up::Hello(_)) => return Err(Failure::BadRequest("hello is said once".to_owned()).into()),
            Some(Up::Node(document)) => {
                self.node.status = node_in(document).map_err(Failure::BadRequest)?.status;
                changes.extend(self.node_change(&state)?);
            }
            Some(Up::Heartbeat(_)) | None => {
                self.ask_after_lost_pods(&state).await?;
                changes.extend(self.node_change(&state)?);
            }
            Some(Up::Pods(reports)) => {
                let node = &self.node.metadata.name;
                changes.extend(
                    reports
                        .pods
                        .into_iter()
                        .filter_map(|report| pod_change(&state, node, report)),
                );
            }
            Some(Up::Events(reports)) => {
                let node = &self.node.metadata.name;
                notes.extend(
                    reports
                        .events
                        .into_iter()
                        .filter_map(|report| note(&state, node, report)),
                );
            }
        }
        Ok(self
            .core
            .reports
            .hand_in(&self.node.metadata.name, changes, notes)
            .await)
    }

    /// A leader that was cut off may write that the node is lost after its agent was heard of again. The agent has told all
    /// by then, and has to be asked.
    async fn ask_after_lost_pods(&self, state: &State) -> Result<(), Status> {
        let mut pods = state.pods_on(&self.node.metadata.name);
        if !pods.any(is_taken_for_lost) {
            return Ok(());
        }
        send(&self.down, Message::TellAgain(TellAgain {})).await
    }

    /// What to write so that the stored node is as the agent last reported it.
    fn node_change(&self, state: &State) -> Result<Option<Change>, Failure> {
        let key = self.node.metadata.key();
        let stored = state.get::<Node>(&key).ok_or_else(|| {
            Failure::Unavailable(format!("node \"{}\" was deleted: register again", key.name))
        })?;
        let status = status_change(&stored.status, &self.node.status, now());
        Ok(status.map(|status| {
            Change::update_status(Node {
                status,
                ..stored.clone()
            })
        }))
    }
}

/// Sends assignments and acknowledgements, at the pace at which the agent takes them.
async fn tell(core: &Core, node: &str, down: &Down, acked: watch::Receiver<u64>) -> Result<(), Status> {
    core.greeting.refresh(core);
    let mut greeting = core.greeting.subscribe();
    let welcome = greeting.borrow_and_update().clone();
    send(down, Message::Welcome((*welcome).clone())).await?;
    let mut sleeper = core.wakes.enter(node);
    let mut assignments = Assignments::new(node);
    let mut acks = Acks::new(acked);
    bring_up_to_date(core, &mut assignments, &mut sleeper, &mut acks, down).await?;
    loop {
        tokio::select! {
            () = sleeper.woken() => {
                bring_up_to_date(core, &mut assignments, &mut sleeper, &mut acks, down).await?;
            }
            Ok(()) = greeting.changed() => {
                let welcome = greeting.borrow_and_update().clone();
                send(down, Message::Welcome((*welcome).clone())).await?;
            }
            Ok(messages) = acks.due() => send(down, Message::Ack(Ack { messages })).await?,
        }
    }
}

/// What the agent is told of its messages that are on the log.
struct Acks {
    acked: watch::Receiver<u64>,
    next_at: Instant,
}

impl Acks {
    fn new(acked: watch::Receiver<u64>) -> Self {
        Self {
            acked,
            next_at: Instant::now(),
        }
    }

    /// How many messages are on the log, for a message that goes to the agent anyway; 0 where that is no news.
    fn along(&mut self) -> u64 {
        if !self.acked.has_changed().unwrap_or(false) {
            return 0;
        }
        self.told()
    }

    /// How many messages are on the log, once that is news and has waited for something to go along with.
    async fn due(&mut self) -> Result<u64, watch::error::RecvError> {
        tokio::time::sleep_until(self.next_at).await;
        self.acked.changed().await?;
        Ok(self.told())
    }

    fn told(&mut self) -> u64 {
        self.next_at = Instant::now() + ACKS_APART;
        *self.acked.borrow_and_update()
    }
}

/// Tells the agent what it is to run now, where that is news.
async fn bring_up_to_date(
    core: &Core,
    assignments: &mut Assignments,
    sleeper: &mut Sleeper,
    acks: &mut Acks,
    down: &Down,
) -> Result<(), Status> {
    let mut news = sleeper.news();
    while !news.is_none() {
        let message = assignments.next(&core.view(), news);
        if let Some(mut message) = message {
            message.acknowledged = acks.along();
            send(down, Message::Assignments(message)).await?;
        }
        let named = assignments.take_named();
        news = named.map_or_else(News::none, |named| sleeper.listen_for(named));
    }
    Ok(())
}

async fn send(down: &Down, message: Message) -> Result<(), Status> {
    let gone = |_| Status::cancelled("the agent is gone");
    down.send(Ok(ServerMessage {
        message: Some(message),
    }))
    .await
    .map_err(gone)
}

/// What a report asks for; `None` where the pod is not on this node (any more) or the report makes no sense.
fn pod_change(state: &State, node: &str, report: PodReport) -> Option<Change> {
    let key = ObjectKey::new(report.namespace, report.name);
    let stored = state
        .get::<Pod>(&key)
        .filter(|pod| pod.metadata.uid == report.uid)?;
    if stored.spec.node_name != node {
        tracing::warn!(node, pod = %key, "refused the status of a pod that is not on this node");
        return None;
    }
    if report.gone {
        let options = DeleteOptions {
            grace_seconds: Some(0),
            ..DeleteOptions::default()
        };
        let object = state.object(Kind::Pod, &key)?;
        return Some(Change::delete(object, options));
    }
    let status = convert::value_from_struct(report.status.unwrap_or_default());
    match serde_json::from_value::<PodStatus>(status) {
        Ok(status) => Some(Change::update_status(Pod {
            status: keep_scheduled(stored, status),
            metadata: ObjectMeta {
                name: key.name,
                namespace: key.namespace,
                uid: report.uid,
                ..ObjectMeta::default()
            },
            ..Pod::default()
        })),
        Err(error) => {
            tracing::warn!(node, pod = %key, %error, "a pod status cannot be read");
            None
        }
    }
}

/// The condition PodScheduled is the scheduler's: it stays as it is.
fn keep_scheduled(stored: &Pod, mut status: PodStatus) -> PodStatus {
    const SCHEDULED: &str = "PodScheduled";
    if let Some(scheduled) = Condition::find(&stored.status.conditions, SCHEDULED) {
        status
            .conditions
            .retain(|condition| condition.r#type != SCHEDULED);
        status.conditions.insert(0, scheduled.clone());
    }
    status
}

/// What to record; `None` where it is about something that is not on this node.
fn note(state: &State, node: &str, report: EventReport) -> Option<EventNote> {
    let kind = Kind::from_name(&report.kind)?;
    let key = ObjectKey::new(report.namespace, report.name);
    let about_this_node = match kind {
        Kind::Node => key.name == node,
        Kind::Pod => state
            .get::<Pod>(&key)
            .is_none_or(|pod| pod.spec.node_name == node),
        _ => false,
    };
    about_this_node.then(|| EventNote {
        regarding: ObjectReference {
            api_version: kind.api_version().to_owned(),
            kind: kind.as_str().to_owned(),
            namespace: key.namespace,
            name: key.name,
            uid: report.uid,
            field_path: report.field_path,
            ..ObjectReference::default()
        },
        r#type: if report.warning {
            EventType::Warning
        } else {
            EventType::Normal
        },
        reason: report.reason,
        message: report.message,
        component: "agent".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_goes_along_is_not_acknowledged_again() {
        let (count, acked) = watch::channel(0);
        let mut acks = Acks::new(acked);
        assert_eq!(acks.along(), 0, "nothing is on the log yet");
        count.send_replace(2);
        assert_eq!(acks.along(), 2);
        assert_eq!(acks.along(), 0);
        assert!(tokio::time::timeout(ACKS_APART * 3, acks.due()).await.is_err());
        count.send_replace(3);
        assert_eq!(
            acks.due().await.unwrap(),
            3,
            "nothing came for it to go along with"
        );
        count.send_replace(4);
        assert!(acks.due().now_or_never().is_none(), "another one is too soon");
        assert_eq!(acks.due().await.unwrap(), 4);
    }
}
