//! What processes write, and what they are told.

use bytes::Bytes;
use futures::stream::BoxStream;
use skep_api::Time;
use tokio::sync::{mpsc, oneshot};

use super::RuntimeError;

/// Which part of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// Go on as it writes.
    pub follow: bool,
    /// Only the last lines.
    pub tail_lines: Option<u64>,
    /// Only what came after.
    pub since: Option<Time>,
    /// Put the time before each line.
    pub timestamps: bool,
}

/// What a process wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// To standard output.
    Stdout(Bytes),
    /// To standard error.
    Stderr(Bytes),
}

/// A command to run in a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecSpec {
    /// Program and arguments.
    pub command: Vec<String>,
    /// Give it standard input.
    pub stdin: bool,
    /// Give it a terminal.
    pub tty: bool,
    /// The terminal's columns and rows, where known.
    pub size: Option<(u16, u16)>,
}

/// A command that runs in a container. Dropping it lets go of its streams.
pub struct Exec {
    /// What it is told; dropping the sender closes its standard input.
    pub input: mpsc::Sender<ExecInput>,
    /// What it wrote; ends when it has ended.
    pub output: BoxStream<'static, Result<Output, RuntimeError>>,
    /// Its exit code, after `output` has ended.
    pub exit_code: oneshot::Receiver<Result<i32, RuntimeError>>,
}

/// What a running command is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExecInput {
    /// Bytes for its standard input.
    Stdin(Bytes),
    /// Its terminal has this many columns and rows now.
    Resize(u16, u16),
}
