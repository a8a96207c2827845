//! What may not be deleted.

use skep_api::{Kind, ObjectKey, PriorityClass};

use crate::{failure::Failure, join::CA_SECRET};

/// Namespaces that every cluster has.
pub(crate) const SYSTEM_NAMESPACES: [&str; 2] = ["default", "kube-system"];

/// Refuses to delete what every cluster has.
pub(super) fn check_delete(kind: Kind, key: &ObjectKey) -> Result<(), Failure> {
    if kind == Kind::Namespace && SYSTEM_NAMESPACES.contains(&key.name.as_str()) {
        return Err(Failure::Forbidden(
            kind,
            key.clone(),
            "this namespace may not be deleted".to_owned(),
        ));
    }
    if kind == Kind::PriorityClass && key.name.starts_with(PriorityClass::SYSTEM_PREFIX) {
        return Err(Failure::Forbidden(
            kind,
            key.clone(),
            "the cluster's own priority classes may not be deleted".to_owned(),
        ));
    }
    if kind == Kind::Secret && (key.namespace.as_str(), key.name.as_str()) == CA_SECRET {
        return Err(Failure::Forbidden(
            kind,
            key.clone(),
            "the cluster's CA may not be deleted: rotate it".to_owned(),
        ));
    }
    Ok(())
}
