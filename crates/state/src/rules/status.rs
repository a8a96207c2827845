//! A new observed state.

use std::sync::Arc;

use skep_api::{NamespacePhase, Object};

use super::{Step, invalid};
use crate::Refusal;

pub(crate) fn update_status(current: &Arc<Object>, reported: Object) -> Result<Step, Refusal> {
    let mut object = (**current).clone();
    if !object.take_status(reported) {
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
