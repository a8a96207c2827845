//! Logs and commands of pods whose agent has its session with another server.

use std::sync::Arc;

use futures::StreamExt;
use skep_api::{
    Node, ObjectKey,
    proto::{ExecInput, ExecOutput, LogChunk, LogsRequest, peer_client::PeerClient},
};
use skep_state::State;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming, transport::Channel};

use crate::{core::Core, failure::Failure, sessions::SERVER_ANNOTATION, tunnels::TUNNEL_MESSAGES};

/// The text of a container, through the server that its agent talks to; `None` where that is this one, or unknown.
pub(crate) async fn logs_elsewhere(
    core: &Arc<Core>,
    state: &State,
    node: &str,
    request: &LogsRequest,
) -> Option<Result<ReceiverStream<Result<LogChunk, Status>>, Status>> {
    let mut peer = holder(core, state, node).await?;
    Some(match peer.logs(request.clone()).await {
        Ok(answer) => Ok(relay(core, answer.into_inner())),
        Err(status) => Err(told_by(status)),
    })
}

/// A command in a container, through the server that its agent talks to. Gives the input back where that is this
/// server, or unknown.
pub(crate) async fn exec_elsewhere(
    core: &Arc<Core>,
    state: &State,
    node: &str,
    start: ExecInput,
    input: Streaming<ExecInput>,
) -> Result<Result<ReceiverStream<Result<ExecOutput, Status>>, Status>, Streaming<ExecInput>> {
    let Some(mut peer) = holder(core, state, node).await else {
        return Err(input);
    };
    // An input that breaks off ends the command, as it does where it need not be passed on.
    let rest = input.take_while(|message| futures::future::ready(message.is_ok()));
    let input = futures::stream::iter([start]).chain(rest.filter_map(|message| async { message.ok() }));
    Ok(match peer.exec(input).await {
        Ok(answer) => Ok(relay(core, answer.into_inner())),
        Err(status) => Err(told_by(status)),
    })
}

/// The server that the agent of a node talks to, where it is another one.
async fn holder(core: &Core, state: &State, node: &str) -> Option<PeerClient<Channel>> {
    let peers = core.peers.as_ref()?;
    if core.sessions.has(node) {
        return None;
    }
    let node = state.get::<Node>(&ObjectKey::cluster(node))?;
    let id: u64 = node.metadata.annotations.get(SERVER_ANNOTATION)?.parse().ok()?;
    if id == core.store.server_id() {
        return None;
    }
    let members = core.store.members().await;
    let address = members
        .into_iter()
        .find(|status| status.member.id == id)?
        .member
        .address;
    peers.calls(&address).ok().map(PeerClient::new)
}

fn relay<T: Send + 'static>(core: &Core, mut from: Streaming<T>) -> ReceiverStream<Result<T, Status>> {
    let (out, messages) = mpsc::channel(TUNNEL_MESSAGES);
    let shutdown = core.shutdown.clone();
    let pipe = async move {
        while let Some(message) = from.next().await {
            let last = message.is_err();
            if out.send(message.map_err(told_by)).await.is_err() || last {
                return;
            }
        }
    };
    tokio::spawn(async move {
        tokio::select! {
            () = pipe => {}
            () = shutdown.cancelled() => {}
        }
    });
    ReceiverStream::new(messages)
}

/// What the other server says is passed on as it is; that it cannot be reached is said in our own words.
fn told_by(status: Status) -> Status {
    match std::error::Error::source(&status) {
        None => status,
        Some(_) => Failure::Unavailable(format!(
            "the server that the node's agent talks to cannot be reached: {}",
            status.message()
        ))
        .into(),
    }
}
