//! Commands in running containers.

use std::time::Duration;

use bollard::{
    Docker as Client,
    exec::{CreateExecOptions, ResizeExecOptions},
};
use futures::{StreamExt, future, stream};
use tokio::{
    io::AsyncWriteExt,
    sync::{mpsc, oneshot},
};
use tokio_util::codec::FramedRead;

use super::{error, frames::Frames, hijack};
use crate::runtime::{Exec, ExecInput, ExecSpec, RuntimeError};

/// Pieces of input on their way.
const INPUT_QUEUE: usize = 16;
/// The engine may still say "running" just after the output has ended.
const END_CHECKS: u32 = 50;
const END_CHECK_PAUSE: Duration = Duration::from_millis(20);

pub(super) async fn exec(
    client: &Client,
    host: &str,
    id: &str,
    spec: &ExecSpec,
) -> Result<Exec, RuntimeError> {
    let options = CreateExecOptions {
        attach_stdin: Some(spec.stdin),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        tty: Some(spec.tty),
        cmd: Some(spec.command.clone()),
        ..CreateExecOptions::<String>::default()
    };
    let exec_id = client.create_exec(id, options).await.map_err(error::from)?.id;
    let path = format!("/v{}/exec/{exec_id}/start", client.client_version());
    let body = format!(r#"{{"Detach":false,"Tty":{}}}"#, spec.tty);
    let (output, input) = hijack::post(host, &path, &body).await?;
    if let Some((columns, rows)) = spec.size.filter(|_| spec.tty) {
        resize(client, &exec_id, columns, rows).await;
    }
    let (input_sender, input_receiver) = mpsc::channel(INPUT_QUEUE);
    tokio::spawn(feed(client.clone(), exec_id.clone(), input, input_receiver));
    let (code_sender, exit_code) = oneshot::channel();
    let client = client.clone();
    let end = async move {
        // Nobody may be waiting for it.
        let _ = code_sender.send(exit_code_of(&client, &exec_id).await);
        None
    };
    let frames = if spec.tty {
        Frames::Terminal
    } else {
        Frames::Multiplexed
    };
    let cut = |failure: std::io::Error| RuntimeError::Unavailable(failure.to_string());
    let output = FramedRead::new(output, frames).map(move |chunk| chunk.map_err(cut));
    let output = output.chain(stream::once(end).filter_map(future::ready)).boxed();
    Ok(Exec {
        input: input_sender,
        output,
        exit_code,
    })
}

/// Passes input on, and closes the command's standard input after the last of it. Its output goes on.
async fn feed(
    client: Client,
    exec_id: String,
    mut stdin: hijack::Writer,
    mut input: mpsc::Receiver<ExecInput>,
) {
    while let Some(told) = input.recv().await {
        match told {
            ExecInput::Stdin(bytes) => {
                let written = async {
                    stdin.write_all(&bytes).await?;
                    stdin.flush().await
                };
                if written.await.is_err() {
                    // The command has ended or reads no more.
                    return;
                }
            }
            ExecInput::Resize(columns, rows) => resize(&client, &exec_id, columns, rows).await,
        }
    }
    if let Err(failure) = stdin.shutdown().await {
        tracing::debug!(error = %failure, "the command's standard input was closed already");
    }
}

/// A terminal of the wrong size is no reason to end the command.
async fn resize(client: &Client, exec_id: &str, columns: u16, rows: u16) {
    let size = ResizeExecOptions {
        height: rows,
        width: columns,
    };
    if let Err(failure) = client.resize_exec(exec_id, size).await {
        tracing::debug!(error = %failure, "the terminal was not resized");
    }
}

async fn exit_code_of(client: &Client, exec_id: &str) -> Result<i32, RuntimeError> {
    for _ in 0..END_CHECKS {
        let found = client.inspect_exec(exec_id).await.map_err(error::from)?;
        if let (Some(false), Some(code)) = (found.running, found.exit_code) {
            return Ok(i32::try_from(code).unwrap_or(-1));
        }
        tokio::time::sleep(END_CHECK_PAUSE).await;
    }
    Err(RuntimeError::Engine(
        "the command's output has ended, but it runs on".to_owned(),
    ))
}
