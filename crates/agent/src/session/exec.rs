//! Serves a command in a container: input down, output up, then its exit code.

use bytes::Bytes;
use futures::StreamExt;
use skep_api::proto::{ExecStart, TunnelDown, tunnel_down::Message as Down, tunnel_up::Message as Up};

use super::tunnel::Tunnel;
use crate::{
    runtime::{ExecInput, ExecSpec, Output, RunState},
    streams::{self, Refusal},
};

pub(super) async fn serve(tunnel: &mut Tunnel, start: ExecStart) -> Result<(), Refusal> {
    if start.command.is_empty() {
        return Err(Refusal::new("BadRequest", "name a command to run"));
    }
    let runs = streams::runs(&tunnel.shared, &tunnel.pod_uid, &start.container).await?;
    let running = runs
        .iter()
        .find(|run| matches!(run.state, RunState::Running { .. }));
    let Some(run) = running else {
        let message = format!(
            "container {:?} in pod {:?} is not running",
            start.container, start.pod
        );
        return Err(Refusal::new("BadRequest", message));
    };
    let size = u16::try_from(start.columns)
        .ok()
        .zip(u16::try_from(start.rows).ok());
    let spec = ExecSpec {
        command: start.command,
        stdin: start.stdin,
        tty: start.tty,
        size: size.filter(|(columns, rows)| *columns > 0 && *rows > 0),
    };
    let exec = tunnel
        .shared
        .runtime
        .exec(&run.id, &spec)
        .await
        .map_err(|error| Refusal::engine(&error))?;
    let (mut output, mut input) = (exec.output, Some(exec.input));
    let mut listening = true;
    loop {
        tokio::select! {
            chunk = output.next() => {
                let Some(chunk) = chunk else { break };
                let message = match chunk.map_err(|error| Refusal::engine(&error))? {
                    Output::Stdout(bytes) => Up::Stdout(bytes.to_vec()),
                    Output::Stderr(bytes) => Up::Stderr(bytes.to_vec()),
                };
                if !tunnel.send(message).await {
                    return Ok(());
                }
            }
            heard = tunnel.down.message(), if listening => match heard {
                Ok(Some(message)) => feed(message, &mut input).await,
                // The client has closed its half; the command may still have something to say.
                Ok(None) => {
                    listening = false;
                    input = None;
                }
                Err(_) => return Ok(()),
            },
        }
    }
    let code = exec
        .exit_code
        .await
        .map_err(|_| Refusal::new("Internal", "the engine did not say how it ended"))?;
    tunnel
        .send(Up::ExitCode(code.map_err(|error| Refusal::engine(&error))?))
        .await;
    Ok(())
}

async fn feed(message: TunnelDown, input: &mut Option<tokio::sync::mpsc::Sender<ExecInput>>) {
    let told = match message.message {
        Some(Down::Stdin(bytes)) => ExecInput::Stdin(Bytes::from(bytes)),
        Some(Down::Resize(size)) => {
            let held = |cells: u32| u16::try_from(cells).unwrap_or(u16::MAX);
            ExecInput::Resize(held(size.columns), held(size.rows))
        }
        Some(Down::StdinClosed(_)) => {
            *input = None;
            return;
        }
        None => return,
    };
    if let Some(sender) = input
        && sender.send(told).await.is_err()
    {
        *input = None;
    }
}
