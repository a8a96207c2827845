//! Events.

use crate::{Event, Kind, errors::Errors, path::Path};

/// Checks an event: it lies in the namespace of the object that it is about.
pub(super) fn check(event: &Event, path: &Path<'_>, errors: &mut Errors) {
    let path = path.field("involvedObject");
    let involved = &event.involved_object;
    if involved.kind.is_empty() {
        errors.required(&path.field("kind"), "is missing");
    }
    let cluster_scoped = Kind::from_name(&involved.kind).is_some_and(|kind| !kind.namespaced());
    let expected = if cluster_scoped || involved.namespace.is_empty() {
        "default"
    } else {
        &involved.namespace
    };
    if event.metadata.namespace != expected {
        let message = format!("must be the event's own namespace `{}`", event.metadata.namespace);
        errors.invalid(&path.field("namespace"), message);
    }
}
