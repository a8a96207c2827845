//! Text that a container wrote.

use std::sync::Arc;

use skep_api::proto::{LogChunk, LogsRequest, open_tunnel::Purpose, tunnel_up::Message};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::{Target, failed, open_tunnel, target};
use crate::{
    core::Core,
    failure::Failure,
    peers,
    tunnels::{TUNNEL_MESSAGES, Tunnel},
};

/// Opens the stream, through another server where the agent talks to that one.
pub(crate) async fn logs(
    core: &Arc<Core>,
    request: LogsRequest,
) -> Result<ReceiverStream<Result<LogChunk, Status>>, Status> {
    let state = core.read(false).await?;
    let target = target::for_logs(&state, &named(&request), request.previous)?;
    if let Some(answer) = peers::logs_elsewhere(core, &state, &target.node, &request).await {
        return answer;
    }
    drop(state);
    Ok(pull(core, request, target).await?)
}

/// Opens the stream to an agent that talks to this server.
pub(crate) async fn logs_here(
    core: &Arc<Core>,
    request: LogsRequest,
) -> Result<ReceiverStream<Result<LogChunk, Status>>, Failure> {
    let state = core.read(true).await?;
    let target = target::for_logs(&state, &named(&request), request.previous)?;
    drop(state);
    pull(core, request, target).await
}

fn named(request: &LogsRequest) -> target::Named<'_> {
    target::Named {
        namespace: &request.namespace,
        pod: &request.pod,
        container: &request.container,
    }
}

/// Text flows at the pace at which the client takes it.
async fn pull(
    core: &Arc<Core>,
    mut request: LogsRequest,
    target: Target,
) -> Result<ReceiverStream<Result<LogChunk, Status>>, Failure> {
    request.namespace.clone_from(&target.namespace);
    request.container.clone_from(&target.container);
    let tunnel = open_tunnel(core, &target, Purpose::Logs(request)).await?;
    let (out, chunks) = mpsc::channel(TUNNEL_MESSAGES);
    let shutdown = core.shutdown.clone();
    tokio::spawn(async move {
        tokio::select! {
            () = pipe(tunnel, &out) => {}
            () = shutdown.cancelled() => {}
            () = out.closed() => {}
        }
    });
    Ok(ReceiverStream::new(chunks))
}

async fn pipe(mut tunnel: Tunnel, out: &mpsc::Sender<Result<LogChunk, Status>>) {
    loop {
        let sent = match tunnel.up.message().await {
            Ok(Some(up)) => match up.message {
                Some(Message::Stdout(data) | Message::Stderr(data)) => out.send(Ok(LogChunk { data })).await,
                Some(Message::Error(error)) => {
                    // The client is told if it still listens.
                    drop(out.send(Err(failed(error))).await);
                    return;
                }
                Some(Message::ExitCode(_)) => return,
                Some(Message::Accept(_)) | None => continue,
            },
            Ok(None) => return,
            Err(status) => {
                drop(
                    out.send(Err(Status::unavailable(format!(
                        "the agent broke off: {}",
                        status.message()
                    ))))
                    .await,
                );
                return;
            }
        };
        if sent.is_err() {
            return;
        }
    }
}
