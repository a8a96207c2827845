//! A new observed state.

use std::sync::Arc;

use skep_api::{NamespacePhase, Object};

use super::{Step, invalid};
use crate::Refusal;

pub(crate) fn update_status(current: &Arc<Object>, reported: &Object) -> Result<Step, Refusal> {
    let mut object = (**current).clone();
    if !copy_status(reported, &mut object) {
        return Err(invalid(
            current.kind(),
            &current.key(),
            "status: this kind has none",
        ));
    }
    set_phase(&mut object);
    if object == **current {
        return Ok(Step::Nothing(current.clone()));
    }
    Ok(Step::Put(object))
}

/// Copies the status; false for kinds that have none.
pub(super) fn copy_status(from: &Object, to: &mut Object) -> bool {
    match (from, to) {
        (Object::Namespace(from), Object::Namespace(to)) => to.status.clone_from(&from.status),
        (Object::Node(from), Object::Node(to)) => to.status.clone_from(&from.status),
        (Object::Pod(from), Object::Pod(to)) => to.status.clone_from(&from.status),
        (Object::ReplicaSet(from), Object::ReplicaSet(to)) => to.status.clone_from(&from.status),
        (Object::Deployment(from), Object::Deployment(to)) => to.status.clone_from(&from.status),
        _ => return false,
    }
    true
}

/// A namespace is Terminating exactly while it is being deleted.
pub(super) fn set_phase(object: &mut Object) {
    if let Object::Namespace(namespace) = object {
        let deleting = namespace.metadata.is_deleting();
        namespace.status.phase = if deleting {
            NamespacePhase::Terminating
        } else {
            NamespacePhase::Active
        };
    }
}
