//! A new desired state.

use std::{mem, sync::Arc};

use skep_api::{Object, ObjectMeta};

use super::{Step, conflict, invalid, put_or_remove, space_finalizers};
use crate::Refusal;

pub(crate) fn update(current: &Arc<Object>, wanted: Object) -> Result<Step, Refusal> {
    allowed(current, &wanted)?;
    let mut object = wanted;
    object.copy_status(current);
    keep_meta(current.meta(), object.meta_mut());
    if object == **current {
        return Ok(Step::Nothing(current.clone()));
    }
    if differs_beyond_meta(current, &mut object) {
        object.meta_mut().generation += 1;
    }
    Ok(put_or_remove(object))
}

fn allowed(current: &Object, wanted: &Object) -> Result<(), Refusal> {
    let (meta, new) = (current.meta(), wanted.meta());
    if !new.uid.is_empty() && new.uid != meta.uid {
        return Err(conflict(
            current,
            format!("its uid is {}, not {}", meta.uid, new.uid),
        ));
    }
    if let (Object::Pod(pod), Object::Pod(new)) = (current, wanted)
        && pod.spec.node_name != new.spec.node_name
    {
        return Err(invalid(
            current.kind(),
            &current.key(),
            "spec.nodeName: is set by binding alone",
        ));
    }
    if meta.is_deleting() {
        let added = |old: &[String], new: &[String]| new.iter().any(|name| !old.contains(name));
        if added(&meta.finalizers, &new.finalizers) {
            let why = "metadata.finalizers: none may be added while the object is being deleted";
            return Err(invalid(current.kind(), &current.key(), why));
        }
        if added(space_finalizers(current), space_finalizers(wanted)) {
            let why = "spec.finalizers: none may be added while the namespace is being deleted";
            return Err(invalid(current.kind(), &current.key(), why));
        }
    }
    Ok(())
}

/// What an update cannot change.
fn keep_meta(current: &ObjectMeta, object: &mut ObjectMeta) {
    object.uid.clone_from(&current.uid);
    object.resource_version.clone_from(&current.resource_version);
    object.generation = current.generation;
    object.creation_timestamp = current.creation_timestamp;
    object.deletion_timestamp = current.deletion_timestamp;
    object.deletion_grace_period_seconds = current.deletion_grace_period_seconds;
}

/// Whether the desired state differs; something does, and statuses are equal by now.
fn differs_beyond_meta(current: &Object, object: &mut Object) -> bool {
    if object.meta() == current.meta() {
        return true;
    }
    let meta = mem::replace(object.meta_mut(), current.meta().clone());
    let differs = object != current;
    *object.meta_mut() = meta;
    differs
}
