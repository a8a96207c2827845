//! From a document to an object that may be stored.

use serde_json::Value;
use skep_api::{
    FieldError, Kind, Namespace, Object, ObjectKey, Reason, Struct,
    admit::{self, Decoded, Validation},
    convert,
    default::NAMESPACE_FINALIZER,
    proto, validate,
};
use skep_controllers::admission as rules;
use skep_state::State;

use crate::failure::Failure;

/// Every namespace carries its name as a label, for selectors.
pub(crate) const NAMESPACE_LABEL: &str = "kubernetes.io/metadata.name";

/// The document in a request.
pub(super) fn document(object: Option<Struct>) -> Result<Value, Failure> {
    let missing = || Failure::BadRequest("object: send the object".to_owned());
    object.map(convert::value_from_struct).ok_or_else(missing)
}

/// How unknown fields are dealt with.
pub(super) fn validation(options: Option<&proto::WriteOptions>) -> Validation {
    match options.map(proto::WriteOptions::validation).unwrap_or_default() {
        proto::Validation::Unspecified | proto::Validation::Strict => Validation::Strict,
        proto::Validation::Warn => Validation::Warn,
        proto::Validation::Ignore => Validation::Ignore,
    }
}

/// Checks a document and fills in defaults. What it says about status and what the server alone sets is dropped.
pub(super) fn admit(mut document: Value, validation: Validation) -> Result<Decoded, Failure> {
    let (kind, key) = identity(&document);
    if let Some(fields) = document.as_object_mut() {
        fields.remove("status");
    }
    let mut decoded = admit::decode(document, validation).map_err(|causes| invalid(kind, key, causes))?;
    if let Object::Namespace(namespace) = &mut decoded.object {
        complete(namespace);
    }
    Ok(decoded)
}

/// What the cluster adds to a new object from tiers, limits and priority classes; what its author should know.
pub(super) fn complete_new(state: &State, object: &mut Object) -> Result<Vec<String>, Failure> {
    let (kind, key) = (object.kind(), object.key());
    rules::object(state, object).map_err(|causes| not_admitted(kind, key, causes))
}

/// What a limit or a class of this cluster does not allow is forbidden; anything else is wrong in itself.
fn not_admitted(kind: Kind, key: ObjectKey, causes: Vec<FieldError>) -> Failure {
    if !rules::forbids(&causes) {
        return invalid(Some(kind), key, causes);
    }
    let causes: Vec<String> = causes.iter().map(ToString::to_string).collect();
    Failure::Forbidden(kind, key, causes.join("; "))
}

/// Whether other objects have no say in what becomes of this one, or in what its author should know: nothing is to be looked up.
pub(super) fn stands_alone(object: &Object) -> bool {
    !matches!(
        object,
        Object::Pod(_)
            | Object::ReplicaSet(_)
            | Object::Deployment(_)
            | Object::WorkloadTier(_)
            | Object::PriorityClass(_)
    )
}

/// What an author should know of the pods that a changed workload will have.
pub(super) fn outlook(state: &State, object: &Object) -> Result<Vec<String>, Failure> {
    if object.kind() == Kind::Pod {
        return Ok(Vec::new());
    }
    rules::outlook(state, object).map_err(|causes| not_admitted(object.kind(), object.key(), causes))
}

/// Contents hold a namespace whatever other finalizers its author gives it.
fn complete(namespace: &mut Namespace) {
    let Namespace { metadata, spec, .. } = namespace;
    metadata
        .labels
        .insert(NAMESPACE_LABEL.to_owned(), metadata.name.clone());
    let held = spec.finalizers.iter().any(|name| name == NAMESPACE_FINALIZER);
    if !held && !metadata.is_deleting() {
        spec.finalizers.push(NAMESPACE_FINALIZER.to_owned());
    }
}

fn invalid(kind: Option<Kind>, key: ObjectKey, causes: Vec<FieldError>) -> Failure {
    match causes.as_slice() {
        [cause] if cause.reason == Reason::TooLong && cause.field.is_empty() => {
            let what = kind.map_or("object", Kind::singular);
            Failure::TooLarge(format!("{what} \"{}\" {}", key.name, cause.message))
        }
        _ => Failure::Invalid { kind, key, causes },
    }
}

/// What a document calls itself, as far as it can be told.
fn identity(document: &Value) -> (Option<Kind>, ObjectKey) {
    let text = |pointer: &str| {
        document
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let name = if text("/metadata/name").is_empty() {
        text("/metadata/generateName")
    } else {
        text("/metadata/name")
    };
    (
        Kind::from_name(text("/kind")),
        ObjectKey::new(text("/metadata/namespace"), name),
    )
}

/// Refuses what an update may not change.
pub(super) fn check_update(live: &Object, new: &Object) -> Result<(), Failure> {
    let causes = validate::update(live, new);
    if causes.is_empty() {
        return Ok(());
    }
    Err(Failure::Invalid {
        kind: Some(live.kind()),
        key: live.key(),
        causes,
    })
}
