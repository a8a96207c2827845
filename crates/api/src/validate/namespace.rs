//! Namespaces.

use crate::{Namespace, errors::Errors, names, path::Path};

/// Checks a namespace.
pub(super) fn check(namespace: &Namespace, path: &Path<'_>, errors: &mut Errors) {
    let path = path.field("spec");
    let path = path.field("finalizers");
    for (index, finalizer) in namespace.spec.finalizers.iter().enumerate() {
        errors.about(&path.index(index), finalizer, names::qualified_name(finalizer));
    }
}
