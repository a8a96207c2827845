//! How failures read on standard error, and the exit code they end with.

use std::{error::Error as _, io, process::ExitCode};

use tonic::{Code, Status};

use skep_api::proto::FieldError;

use crate::args::ResourceId;

/// An object that a server's list lacks; reads as if it had been asked for by name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Error from server (NotFound): {} \"{}\" not found", .0.kind.qualified(), .0.name)]
pub(crate) struct NotFound(pub(crate) ResourceId);

/// What a server answered about the documents of a file.
#[derive(Debug, thiserror::Error)]
#[error("{}", describe_status(.status).replacen(": ", &format!(": {origin}: "), 1))]
pub(crate) struct InFile {
    /// The file.
    pub(crate) origin: String,
    /// The answer.
    #[source]
    pub(crate) status: Status,
}

/// Failures of a command that goes on with the rest: each is printed as it happens.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    count: usize,
}

impl Failures {
    /// Prints the failure and counts it.
    pub(crate) fn add(&mut self, error: &anyhow::Error) {
        self.count += 1;
        report(error);
    }

    /// Counts the failure of a result and gives the value of any other.
    pub(crate) fn keep<T>(&mut self, result: anyhow::Result<T>) -> Option<T> {
        result.inspect_err(|error| self.add(error)).ok()
    }

    /// True where something failed.
    pub(crate) fn any(&self) -> bool {
        self.count > 0
    }

    /// 0 where nothing failed, else 1.
    pub(crate) fn exit_code(&self) -> ExitCode {
        if self.count == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

/// Prints what made a command fail and says the exit code. A reader of standard output who went away is no error.
pub(crate) fn exit_code(error: &anyhow::Error) -> ExitCode {
    let broken_pipe = error.chain().any(|cause| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|io| io.kind() == io::ErrorKind::BrokenPipe)
    });
    if broken_pipe {
        return ExitCode::SUCCESS;
    }
    report(error);
    ExitCode::FAILURE
}

/// Prints an error as kubectl words it.
pub(crate) fn report(error: &anyhow::Error) {
    eprintln!("{}", describe(error));
}

/// `Error from server (NotFound): …` for what a server answered, else `error: …`.
pub(crate) fn describe(error: &anyhow::Error) -> String {
    if let Some(status) = error.downcast_ref::<Status>() {
        return describe_status(status);
    }
    if error.is::<NotFound>() || error.is::<InFile>() {
        return error.to_string();
    }
    format!("error: {error:#}")
}

/// The reason of a failed call in Kubernetes' words, such as `NotFound`.
pub(crate) fn reason(status: &Status) -> String {
    if let Some(detail) = skep_api::status::detail(status).filter(|detail| !detail.reason.is_empty()) {
        return detail.reason;
    }
    match status.code() {
        Code::NotFound => "NotFound",
        Code::AlreadyExists => "AlreadyExists",
        Code::Aborted => "Conflict",
        Code::InvalidArgument => "Invalid",
        Code::OutOfRange => "Expired",
        Code::PermissionDenied => "Forbidden",
        Code::Unauthenticated => "Unauthorized",
        Code::FailedPrecondition => "BadRequest",
        Code::ResourceExhausted => "TooManyRequests",
        Code::DeadlineExceeded => "Timeout",
        Code::Unavailable => "ServiceUnavailable",
        Code::Unimplemented => "MethodNotAllowed",
        _ => "InternalError",
    }
    .to_owned()
}

/// True where the object that was asked for is not there.
pub(crate) fn is_not_found(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<Status>()
        .is_some_and(|status| reason(status) == "NotFound")
}

/// True where no answer came: the connection broke, or nobody listens any more.
pub(crate) fn is_connection_lost(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<Status>()
        .is_some_and(|status| status.code() == Code::Unavailable || status.source().is_some())
}

fn describe_status(status: &Status) -> String {
    if let Some(cause) = status.source() {
        return format!(
            "error: the connection to the server was lost: {}",
            innermost(cause)
        );
    }
    let detail = skep_api::status::detail(status).unwrap_or_default();
    let message = whole_lines(status.message());
    let mut text = format!("Error from server ({}): {message}", reason(status));
    let lists = message.contains("\n* ");
    let bullet = if lists { "\n* " } else { "\n  " };
    // The message may well name the causes already; each is told once.
    let named = |cause: &FieldError| {
        let line = format!("{}: {}", cause.field, cause.message);
        message.contains(if lists { &line } else { &cause.message })
    };
    for cause in detail.causes.iter().filter(|cause| !named(cause)) {
        text.push_str(bullet);
        if !cause.field.is_empty() {
            text.push_str(&cause.field);
            text.push_str(": ");
        }
        text.push_str(&cause.message);
    }
    text
}

/// A message that was cut to fit: without the item of its list that was cut in the middle, which is told in full below it.
fn whole_lines(message: &str) -> &str {
    match message.strip_suffix('…').and_then(|cut| cut.rsplit_once("\n* ")) {
        Some((whole, _)) => whole,
        None => message,
    }
}

/// The first cause of an error.
pub(crate) fn innermost<'a>(
    mut error: &'a (dyn std::error::Error + 'static),
) -> &'a (dyn std::error::Error + 'static) {
    while let Some(cause) = error.source() {
        error = cause;
    }
    error
}

#[cfg(test)]
mod tests {
    use skep_api::{proto::ErrorDetail, status};

    use super::*;

    #[test]
    fn a_list_of_causes_that_is_too_long_for_its_message_is_told_once_and_in_whole_lines() {
        let cause = |index: usize| FieldError {
            field: format!("spec.containers[{index}].resources.requests[cpu]"),
            reason: "Invalid".to_owned(),
            message: "-1 is below 0".to_owned(),
        };
        let causes: Vec<FieldError> = (0..40).map(cause).collect();
        let lines = causes
            .iter()
            .map(|cause| format!("\n* {}: {}", cause.field, cause.message));
        let message = format!("pod \"web\" is invalid:{}", lines.collect::<String>());
        let detail = ErrorDetail {
            reason: "Invalid".to_owned(),
            message: message.clone(),
            causes,
            ..ErrorDetail::default()
        };
        let status = status::with_detail(Code::InvalidArgument, detail);
        assert!(status.message().ends_with('…'), "it is cut");
        assert_eq!(
            describe_status(&status),
            format!("Error from server (Invalid): {message}")
        );
    }
}
