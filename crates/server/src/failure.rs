//! Why a call failed, and the one mapping from that to a gRPC status with its detail.

use skep_api::{
    FieldError, Kind, ObjectKey, Reason,
    proto::{self, ErrorDetail, ObjectRef},
    status,
};
use skep_state::Refusal;
use tonic::{Code, Status};

/// Why a call failed, in Kubernetes' terms.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// There is no such object.
    NotFound(Kind, ObjectKey),
    /// There is one already.
    AlreadyExists(Kind, ObjectKey),
    /// The object is not as the caller thinks.
    Conflict(Kind, ObjectKey, String),
    /// Fields of a document are wrong.
    Invalid {
        kind: Option<Kind>,
        key: ObjectKey,
        causes: Vec<FieldError>,
    },
    /// The request makes no sense.
    BadRequest(String),
    /// It may not be done.
    Forbidden(Kind, ObjectKey, String),
    /// It may be done later: what stands in the way now.
    TooManyRequests(Kind, ObjectKey, String, Vec<FieldError>),
    /// What the request is based on does not hold any more.
    Stale(String),
    /// The revision asked for is compacted.
    Expired(String),
    /// A document is larger than the limit.
    TooLarge(String),
    /// It may work in a moment.
    Unavailable(String),
    /// A fault of the server.
    Internal(String),
}

impl Failure {
    fn code(&self) -> Code {
        match self {
            Self::NotFound(..) => Code::NotFound,
            Self::AlreadyExists(..) => Code::AlreadyExists,
            Self::Conflict(..) | Self::Stale(_) => Code::Aborted,
            Self::Invalid { .. } | Self::BadRequest(_) => Code::InvalidArgument,
            Self::Forbidden(..) => Code::PermissionDenied,
            Self::Expired(_) => Code::OutOfRange,
            Self::TooLarge(_) | Self::TooManyRequests(..) => Code::ResourceExhausted,
            Self::Unavailable(_) => Code::Unavailable,
            Self::Internal(_) => Code::Internal,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::NotFound(..) => "NotFound",
            Self::AlreadyExists(..) => "AlreadyExists",
            Self::Conflict(..) | Self::Stale(_) => "Conflict",
            Self::Invalid { .. } => "Invalid",
            Self::BadRequest(_) => "BadRequest",
            Self::Forbidden(..) => "Forbidden",
            Self::TooManyRequests(..) => "TooManyRequests",
            Self::Expired(_) => "Expired",
            Self::TooLarge(_) => "RequestEntityTooLarge",
            Self::Unavailable(_) => "Unavailable",
            Self::Internal(_) => "InternalError",
        }
    }

    fn message(&self) -> String {
        match self {
            Self::NotFound(kind, key) => format!("{} \"{}\" not found", kind.qualified(), key.name),
            Self::AlreadyExists(kind, key) => format!("{} \"{}\" already exists", kind.qualified(), key.name),
            Self::Conflict(kind, key, why) => format!(
                "{} \"{}\" has changed: {why}; read it again and retry",
                kind.qualified(),
                key.name
            ),
            Self::Invalid { kind, key, causes } => invalid_message(*kind, key, causes),
            Self::Forbidden(kind, key, why) => {
                format!("{} \"{}\" is forbidden: {why}", kind.qualified(), key.name)
            }
            Self::TooManyRequests(_, _, message, _)
            | Self::BadRequest(message)
            | Self::Stale(message)
            | Self::Expired(message)
            | Self::TooLarge(message)
            | Self::Unavailable(message)
            | Self::Internal(message) => message.clone(),
        }
    }

    fn object(&self) -> Option<ObjectRef> {
        let (Self::NotFound(kind, key)
        | Self::AlreadyExists(kind, key)
        | Self::Conflict(kind, key, _)
        | Self::Forbidden(kind, key, _)
        | Self::TooManyRequests(kind, key, ..)
        | Self::Invalid {
            kind: Some(kind),
            key,
            ..
        }) = self
        else {
            return None;
        };
        Some(ObjectRef {
            kind: kind.as_str().to_owned(),
            namespace: key.namespace.clone(),
            name: key.name.clone(),
        })
    }

    fn causes(&self) -> Vec<proto::FieldError> {
        let (Self::Invalid { causes, .. } | Self::TooManyRequests(_, _, _, causes)) = self else {
            return Vec::new();
        };
        let wire = |cause: &FieldError| proto::FieldError {
            field: cause.field.clone(),
            reason: cause.reason.as_str().to_owned(),
            message: cause.message.clone(),
        };
        causes.iter().map(wire).collect()
    }
}

fn invalid_message(kind: Option<Kind>, key: &ObjectKey, causes: &[FieldError]) -> String {
    let what = kind.map_or("object", Kind::singular);
    let name = if key.name.is_empty() {
        String::new()
    } else {
        format!(" \"{}\"", key.name)
    };
    match causes {
        [] => format!("{what}{name} is invalid"),
        [cause] => format!("{what}{name} is invalid: {cause}"),
        causes => {
            let lines: Vec<String> = causes.iter().map(|cause| format!("\n* {cause}")).collect();
            format!("{what}{name} is invalid:{}", lines.concat())
        }
    }
}

impl From<Failure> for Status {
    fn from(failure: Failure) -> Self {
        let detail = ErrorDetail {
            reason: failure.reason().to_owned(),
            message: failure.message(),
            r#ref: failure.object(),
            causes: failure.causes(),
        };
        status::with_detail(failure.code(), detail)
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::AlreadyExists { kind, key } => Self::AlreadyExists(kind, key),
            Refusal::NotFound { kind, key } => Self::NotFound(kind, key),
            Refusal::Conflict { kind, key, why } => Self::Conflict(kind, key, why),
            Refusal::Namespace { namespace, why } if why == "does not exist" => {
                Self::NotFound(Kind::Namespace, ObjectKey::cluster(namespace))
            }
            Refusal::Namespace { namespace, why } => Self::Forbidden(
                Kind::Namespace,
                ObjectKey::cluster(namespace),
                format!("it {why}: nothing can be created in it"),
            ),
            Refusal::Forbidden { kind, key, why } => Self::Forbidden(kind, key, why),
            Refusal::Disruption { pod, budget, why } => {
                let message = "Cannot evict pod as it would violate the pod's disruption budget.".to_owned();
                let cause = format!("The disruption budget {budget} {why}");
                let cause = FieldError::new("", Reason::DisruptionBudget, cause);
                Self::TooManyRequests(Kind::Pod, pod, message, vec![cause])
            }
            Refusal::Invalid(why) => Self::BadRequest(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn a_missing_object_is_named_as_kubectl_does() {
        let status = Status::from(Failure::NotFound(
            Kind::Deployment,
            ObjectKey::new("default", "web"),
        ));
        assert_eq!(status.code(), Code::NotFound);
        expect![[r#"deployments.apps "web" not found"#]].assert_eq(status.message());
        let detail = status::detail(&status).unwrap();
        assert_eq!(
            (detail.reason.as_str(), detail.r#ref.unwrap().name.as_str()),
            ("NotFound", "web")
        );
    }

    #[test]
    fn an_invalid_object_lists_every_cause() {
        let causes = vec![
            FieldError::new("spec.replicas", Reason::Invalid, "-1 is negative"),
            FieldError::new("spec.selector", Reason::Required, "must be set"),
        ];
        let key = ObjectKey::new("default", "web");
        let status = Status::from(Failure::Invalid {
            kind: Some(Kind::Deployment),
            key,
            causes,
        });
        expect![[r#"
            deployment "web" is invalid:
            * spec.replicas: -1 is negative
            * spec.selector: must be set"#]]
        .assert_eq(status.message());
        assert_eq!(status::detail(&status).unwrap().causes.len(), 2);
    }
}
