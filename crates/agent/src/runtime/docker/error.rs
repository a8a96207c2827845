//! The engine's failures in the agent's terms.

use bollard::errors::Error;

use crate::runtime::RuntimeError;

/// What to do about an engine that does not know how to bring GPUs into containers.
const NO_GPU_RUNTIME: &str = "to bring GPUs into containers, install the NVIDIA container toolkit on the node, run \
                              `nvidia-ctk runtime configure`, and restart the engine";

/// Keeps the engine's own words.
pub(super) fn from(error: Error) -> RuntimeError {
    match error {
        Error::DockerResponseServerError { status_code, message } => classify(status_code, message),
        Error::SocketNotFoundError(path) => RuntimeError::Unavailable(format!("no socket at {path}")),
        Error::RequestTimeoutError => RuntimeError::Unavailable("timed out".to_owned()),
        Error::HyperLegacyError { err } => RuntimeError::Unavailable(chain(&err)),
        Error::HyperResponseError { err } => RuntimeError::Unavailable(chain(&err)),
        Error::IOError { err } => RuntimeError::Unavailable(chain(&err)),
        Error::DockerStreamError { error } => classify_text(error),
        other => RuntimeError::Engine(chain(&other)),
    }
}

/// True for what is not there.
pub(super) fn is_not_found(error: &Error) -> bool {
    status(error) == Some(404)
}

/// The HTTP status of the engine's answer.
pub(super) fn status(error: &Error) -> Option<u16> {
    match error {
        Error::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// From the HTTP status and the words of the engine's answer.
pub(super) fn classify(status: u16, message: String) -> RuntimeError {
    match status {
        404 => RuntimeError::NotFound(message),
        401 => RuntimeError::Unauthorized(message),
        _ => classify_text(message),
    }
}

fn classify_text(message: String) -> RuntimeError {
    let lower = message.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if says(&[
        "unauthorized",
        "no basic auth credentials",
        "authentication required",
        "access denied",
    ]) {
        RuntimeError::Unauthorized(message)
    } else if says(&["manifest unknown", "repository does not exist"]) {
        RuntimeError::NotFound(message)
    } else if lower == "address already in use" || says(&["requested address is already in use"]) {
        RuntimeError::AddressInUse(message)
    } else if says(&["oom_score_adj"]) {
        RuntimeError::OomScore(message)
    } else if says(&["could not select device driver"]) {
        RuntimeError::Engine(format!("{message}; {NO_GPU_RUNTIME}"))
    } else {
        RuntimeError::Engine(message)
    }
}

/// The error and its causes, each said once: the client library says too little by itself.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        cause = error.source();
    }
    text
}
