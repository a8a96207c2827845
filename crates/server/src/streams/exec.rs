//! Commands that run in a container, with their input, output and end.

use std::sync::Arc;

use skep_api::proto::{
    ExecInput, ExecOutput, ExecStart, TunnelDown, TunnelUp, exec_input::Input, exec_output::Output,
    open_tunnel::Purpose, tunnel_down::Message as Down, tunnel_up::Message as Up,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::{Target, failed, open_tunnel, target};
use crate::{
    core::Core,
    failure::Failure,
    peers,
    tunnels::{TUNNEL_MESSAGES, Tunnel},
};

/// Starts the command, through another server where the agent talks to that one.
pub(crate) async fn exec(
    core: &Arc<Core>,
    mut input: Streaming<ExecInput>,
) -> Result<ReceiverStream<Result<ExecOutput, Status>>, Status> {
    let start = first(&mut input).await?;
    let state = core.read(false).await?;
    let target = target::for_exec(&state, &named(&start))?;
    let message = ExecInput {
        input: Some(Input::Start(start.clone())),
    };
    match peers::exec_elsewhere(core, &state, &target.node, message, input).await {
        Ok(answer) => answer,
        Err(input) => begin(core, start, target, input).await,
    }
}

/// Starts the command at an agent that talks to this server.
pub(crate) async fn exec_here(
    core: &Arc<Core>,
    mut input: Streaming<ExecInput>,
) -> Result<ReceiverStream<Result<ExecOutput, Status>>, Status> {
    let start = first(&mut input).await?;
    let state = core.read(true).await?;
    let target = target::for_exec(&state, &named(&start))?;
    drop(state);
    begin(core, start, target, input).await
}

async fn first(input: &mut Streaming<ExecInput>) -> Result<ExecStart, Status> {
    let first = input.message().await?.and_then(|message| message.input);
    let Some(Input::Start(start)) = first else {
        return Err(Failure::BadRequest("the first message must be start".to_owned()).into());
    };
    if start.command.is_empty() {
        return Err(Failure::BadRequest("command: say what to run".to_owned()).into());
    }
    Ok(start)
}

fn named(start: &ExecStart) -> target::Named<'_> {
    target::Named {
        namespace: &start.namespace,
        pod: &start.pod,
        container: &start.container,
    }
}

/// Both directions flow at the pace of their readers.
async fn begin(
    core: &Arc<Core>,
    mut start: ExecStart,
    target: Target,
    input: Streaming<ExecInput>,
) -> Result<ReceiverStream<Result<ExecOutput, Status>>, Status> {
    start.namespace.clone_from(&target.namespace);
    start.container.clone_from(&target.container);
    let tunnel = open_tunnel(core, &target, Purpose::Exec(start)).await?;
    let (out, outputs) = mpsc::channel(TUNNEL_MESSAGES);
    let shutdown = core.shutdown.clone();
    tokio::spawn(async move {
        let Tunnel { up, down } = tunnel;
        tokio::select! {
            () = pipe_up(up, &out) => {}
            () = pipe_down(input, down) => {}
            () = shutdown.cancelled() => {}
            () = out.closed() => {}
        }
    });
    Ok(ReceiverStream::new(outputs))
}

/// Output, until the command ends.
async fn pipe_up(mut up: Streaming<TunnelUp>, out: &mpsc::Sender<Result<ExecOutput, Status>>) {
    loop {
        let said = match up.message().await {
            Ok(Some(up)) => up.message,
            Ok(None) => return,
            Err(status) => {
                // The client is told if it still listens; so below.
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
        let (output, last) = match said {
            Some(Up::Stdout(data)) => (Output::Stdout(data), false),
            Some(Up::Stderr(data)) => (Output::Stderr(data), false),
            Some(Up::ExitCode(code)) => (Output::ExitCode(code), true),
            Some(Up::Error(error)) => {
                drop(out.send(Err(failed(error))).await);
                return;
            }
            Some(Up::Accept(_)) | None => continue,
        };
        if out.send(Ok(ExecOutput { output: Some(output) })).await.is_err() || last {
            return;
        }
    }
}

/// Input, until the client breaks off; a client that has no more to say may still wait for output.
async fn pipe_down(mut input: Streaming<ExecInput>, down: mpsc::Sender<Result<TunnelDown, Status>>) {
    loop {
        let message = match input.message().await {
            Ok(Some(message)) => match message.input {
                Some(Input::Stdin(data)) => Down::Stdin(data),
                Some(Input::Resize(size)) => Down::Resize(size),
                Some(Input::StdinClosed(closed)) => Down::StdinClosed(closed),
                Some(Input::Start(_)) | None => continue,
            },
            Ok(None) => return std::future::pending().await,
            Err(_) => return,
        };
        if down
            .send(Ok(TunnelDown {
                message: Some(message),
            }))
            .await
            .is_err()
        {
            return std::future::pending().await;
        }
    }
}
