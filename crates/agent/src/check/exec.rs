//! Runs a command in the container.

use futures::StreamExt;

use super::Target;
use crate::runtime::{ExecSpec, Output};

/// Bytes of the command's output that are kept for the message.
const OUTPUT_MAX: usize = 4096;

pub(super) async fn run(target: &Target, command: &[String]) -> Result<(), String> {
    let spec = ExecSpec {
        command: command.to_vec(),
        ..ExecSpec::default()
    };
    let mut exec = target
        .runtime
        .exec(&target.id, &spec)
        .await
        .map_err(|error| error.to_string())?;
    drop(exec.input);
    let mut output = Vec::new();
    while let Some(chunk) = exec.output.next().await {
        let (Output::Stdout(bytes) | Output::Stderr(bytes)) = chunk.map_err(|error| error.to_string())?;
        let room = OUTPUT_MAX.saturating_sub(output.len());
        output.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
    let code = exec
        .exit_code
        .await
        .map_err(|_| "the engine did not say how the command ended".to_owned())?;
    match code.map_err(|error| error.to_string())? {
        0 => Ok(()),
        code => {
            let text = String::from_utf8_lossy(&output);
            let text = text.trim_end();
            let separator = if text.is_empty() { "" } else { ": " };
            Err(format!("command exited with {code}{separator}{text}"))
        }
    }
}
