//! How a failed call travels: an [`ErrorDetail`] inside `google.rpc.Status` inside the trailer `grpc-status-details-bin`.

use prost::Message;
use prost_types::Any;
use tonic::{Code, Status};

use crate::proto::{ErrorDetail, FieldError};

const DETAIL_TYPE: &str = "type.googleapis.com/skep.v1.ErrorDetail";

/// Trailers share 16 KiB with most clients, and the message travels three times.
const MESSAGE_BYTES_MAX: usize = 1536;
const CAUSES_BYTES_MAX: usize = 4096;

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

/// A status with this detail; its message is the detail's. What is too long for a trailer is cut, and says so.
pub fn with_detail(code: Code, mut detail: ErrorDetail) -> Status {
    shorten(&mut detail.message);
    drop_causes_beyond_limit(&mut detail.causes);
    let message = detail.message.clone();
    let any = Any {
        type_url: DETAIL_TYPE.to_owned(),
        value: detail.encode_to_vec(),
    };
    let rpc = RpcStatus {
        code: code.into(),
        message: message.clone(),
        details: vec![any],
    };
    Status::with_details(code, message, rpc.encode_to_vec().into())
}

/// The detail of a failed call; `None` where there is none, as with failures of the transport.
pub fn detail(status: &Status) -> Option<ErrorDetail> {
    let rpc = RpcStatus::decode(status.details()).ok()?;
    let any = rpc.details.into_iter().find(|any| any.type_url == DETAIL_TYPE)?;
    ErrorDetail::decode(any.value.as_slice()).ok()
}

fn shorten(message: &mut String) {
    if message.len() > MESSAGE_BYTES_MAX {
        let end = (0..=MESSAGE_BYTES_MAX)
            .rev()
            .find(|at| message.is_char_boundary(*at))
            .unwrap_or(0);
        message.truncate(end);
        message.push('…');
    }
}

fn drop_causes_beyond_limit(causes: &mut Vec<FieldError>) {
    let mut bytes = 0;
    let kept = causes
        .iter_mut()
        .map_while(|cause| {
            shorten(&mut cause.message);
            bytes += cause.encoded_len();
            (bytes <= CAUSES_BYTES_MAX).then_some(())
        })
        .count();
    causes.truncate(kept);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invalid(causes: usize) -> ErrorDetail {
        let cause = FieldError {
            field: "spec.replicas".into(),
            reason: "Invalid".into(),
            message: "-1 is negative".into(),
        };
        ErrorDetail {
            reason: "Invalid".into(),
            message: "deployment \"web\" is invalid".into(),
            r#ref: None,
            causes: vec![cause; causes],
        }
    }

    #[test]
    fn a_detail_comes_back_as_it_was_put_in() {
        let status = with_detail(Code::InvalidArgument, invalid(2));
        assert_eq!(status.message(), "deployment \"web\" is invalid");
        assert_eq!(detail(&status), Some(invalid(2)));
    }

    #[test]
    fn a_status_without_detail_has_none() {
        assert_eq!(detail(&Status::unavailable("connection refused")), None);
    }

    #[test]
    fn what_is_too_long_for_a_trailer_is_cut() {
        let mut long = invalid(10_000);
        long.message = "ä".repeat(5000);
        let status = with_detail(Code::InvalidArgument, long);
        assert!(status.message().ends_with('…'));
        assert!(
            status.details().len() < 8 * 1024,
            "{} bytes",
            status.details().len()
        );
        assert!(detail(&status).is_some_and(|detail| !detail.causes.is_empty()));
    }
}
