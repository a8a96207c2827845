//! A new object.

use skep_api::{Namespace, Object, ObjectKey, Time};

use super::{Step, invalid};
use crate::{Precondition, Refusal, State};

pub(crate) fn create(
    state: &State,
    mut object: Object,
    only_if: &Precondition,
    now: Time,
) -> Result<Step, Refusal> {
    let (kind, key) = (object.kind(), object.key());
    well_named(&object)?;
    if kind.namespaced() {
        open_namespace(state, &key.namespace)?;
    }
    if state.object(kind, &key).is_some() {
        return Err(Refusal::AlreadyExists { kind, key });
    }
    if *only_if != Precondition::default() {
        return Err(Refusal::Conflict {
            kind,
            key,
            why: "it does not exist".to_owned(),
        });
    }
    if state.by_uid(&object.meta().uid).is_some() {
        return Err(invalid(kind, &key, "metadata.uid: belongs to another object"));
    }
    let meta = object.meta_mut();
    meta.generation = 1;
    meta.creation_timestamp.get_or_insert(now);
    meta.deletion_timestamp = None;
    meta.deletion_grace_period_seconds = None;
    Ok(Step::Put(object))
}

fn well_named(object: &Object) -> Result<(), Refusal> {
    let (kind, key, meta) = (object.kind(), object.key(), object.meta());
    let why = if meta.name.is_empty() {
        "metadata.name: is missing"
    } else if [&key.namespace, &key.name]
        .into_iter()
        .any(|text| text.contains(char::is_control))
    {
        "metadata.name: has control characters"
    } else if meta.uid.is_empty() {
        "metadata.uid: is missing"
    } else if kind.namespaced() && meta.namespace.is_empty() {
        "metadata.namespace: is missing"
    } else if !kind.namespaced() && !meta.namespace.is_empty() {
        "metadata.namespace: must be empty, the kind belongs to the cluster as a whole"
    } else {
        return Ok(());
    };
    Err(invalid(kind, &key, why))
}

fn open_namespace(state: &State, namespace: &str) -> Result<(), Refusal> {
    let refused = |why: &str| Refusal::Namespace {
        namespace: namespace.to_owned(),
        why: why.to_owned(),
    };
    match state.get::<Namespace>(&ObjectKey::cluster(namespace)) {
        None => Err(refused("does not exist")),
        Some(namespace) if namespace.metadata.is_deleting() => Err(refused("is being deleted")),
        Some(_) => Ok(()),
    }
}
