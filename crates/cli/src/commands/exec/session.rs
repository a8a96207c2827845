//! One run of a command: standard input and sizes go up, output and the exit code come down.

use std::pin::pin;

use anyhow::{Context as _, anyhow};
use futures::{Stream, StreamExt};
use skep_api::proto::{ExecInput, ExecOutput, ExecStart, exec_input::Input, exec_output::Output};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::terminal;
use crate::context::Client;

const CHUNK_BYTES_MAX: usize = 16 << 10;
/// Messages that wait for the server at most.
const QUEUE_MAX: usize = 16;

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// The command ended with this code.
    Command(i32),
    /// This program was told to end by this signal.
    Signal(i32),
}

/// Runs the command until it ends, or this program is told to.
///
/// # Errors
/// Where it cannot be started, or the connection breaks.
pub(super) async fn run(mut client: Client, start: ExecStart) -> anyhow::Result<Ended> {
    let (stdin, tty) = (start.stdin, start.tty);
    let (sender, receiver) = mpsc::channel(QUEUE_MAX);
    sender
        .send(input(Input::Start(start)))
        .await
        .context("the queue for the server is closed")?;
    let upward = up(sender, stdin, tty)?;
    let answers = client.exec(ReceiverStream::new(receiver));
    let downward = async {
        down(
            answers.await?.into_inner(),
            tokio::io::stdout(),
            tokio::io::stderr(),
        )
        .await
    };
    let (mut hangup, mut terminate) = (signal(SignalKind::hangup())?, signal(SignalKind::terminate())?);
    tokio::select! {
        code = downward => code.map(Ended::Command),
        never = upward => match never {},
        _ = hangup.recv() => Ok(Ended::Signal(SignalKind::hangup().as_raw_value())),
        _ = terminate.recv() => Ok(Ended::Signal(SignalKind::terminate().as_raw_value())),
    }
}

/// Passes standard input and the terminal's size on, for ever.
fn up(
    sender: mpsc::Sender<ExecInput>,
    stdin: bool,
    tty: bool,
) -> anyhow::Result<impl Future<Output = std::convert::Infallible>> {
    let resized = if tty {
        Some(signal(SignalKind::window_change())?)
    } else {
        None
    };
    Ok(async move {
        let sizes = pass_sizes(resized, &sender);
        if stdin {
            tokio::join!(pass_stdin(tokio::io::stdin(), &sender), sizes);
        } else {
            sizes.await;
        }
        std::future::pending().await
    })
}

async fn pass_stdin(mut stdin: impl AsyncRead + Unpin, sender: &mpsc::Sender<ExecInput>) {
    let mut buffer = vec![0; CHUNK_BYTES_MAX];
    loop {
        let message = match stdin.read(&mut buffer).await {
            Ok(0) | Err(_) => Input::StdinClosed(true),
            Ok(count) => Input::Stdin(buffer[..count].to_vec()),
        };
        let closed = matches!(message, Input::StdinClosed(_));
        if sender.send(input(message)).await.is_err() || closed {
            return;
        }
    }
}

async fn pass_sizes(resized: Option<Signal>, sender: &mpsc::Sender<ExecInput>) {
    let Some(mut resized) = resized else { return };
    while resized.recv().await.is_some() {
        if let Some(size) = terminal::size()
            && sender.send(input(Input::Resize(size))).await.is_err()
        {
            return;
        }
    }
}

fn input(input: Input) -> ExecInput {
    ExecInput { input: Some(input) }
}

/// Writes output until the exit code comes.
async fn down(
    answers: impl Stream<Item = Result<ExecOutput, Status>>,
    mut stdout: impl AsyncWrite + Unpin,
    mut stderr: impl AsyncWrite + Unpin,
) -> anyhow::Result<i32> {
    let mut answers = pin!(answers);
    while let Some(answer) = answers.next().await {
        match answer?.output {
            Some(Output::Stdout(bytes)) => write(&mut stdout, &bytes).await?,
            Some(Output::Stderr(bytes)) => write(&mut stderr, &bytes).await?,
            Some(Output::ExitCode(code)) => return Ok(code),
            None => {}
        }
    }
    Err(anyhow!("the connection ended before the command did"))
}

async fn write(to: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> std::io::Result<()> {
    to.write_all(bytes).await?;
    to.flush().await
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    fn output(output: Output) -> Result<ExecOutput, Status> {
        Ok(ExecOutput { output: Some(output) })
    }

    #[tokio::test]
    async fn output_goes_to_its_stream_and_the_exit_code_ends_it() {
        let answers = stream::iter([
            output(Output::Stdout(b"out".to_vec())),
            output(Output::Stderr(b"err".to_vec())),
            output(Output::ExitCode(3)),
            output(Output::Stdout(b"late".to_vec())),
        ]);
        let (mut out, mut err) = (Vec::new(), Vec::new());
        assert_eq!(down(answers, &mut out, &mut err).await.unwrap(), 3);
        assert_eq!((out.as_slice(), err.as_slice()), (&b"out"[..], &b"err"[..]));
    }

    #[tokio::test]
    async fn an_end_without_exit_code_is_an_error() {
        let answers = stream::iter([output(Output::Stdout(b"out".to_vec()))]);
        let error = down(answers, Vec::new(), Vec::new()).await.unwrap_err();
        assert_eq!(error.to_string(), "the connection ended before the command did");
    }

    #[tokio::test]
    async fn the_end_of_standard_input_is_passed_on() {
        let (sender, mut receiver) = mpsc::channel(QUEUE_MAX);
        pass_stdin(&b"hello"[..], &sender).await;
        assert_eq!(
            receiver.recv().await,
            Some(input(Input::Stdin(b"hello".to_vec())))
        );
        assert_eq!(receiver.recv().await, Some(input(Input::StdinClosed(true))));
    }
}
