//! What may not change.

use serde_json::Value;

use crate::{
    ConfigMap, FieldError, Node, Object, ObjectMeta, Pod, PodSpec, Secret, errors::Errors, path::Path,
};

/// Everything in `new` that may not replace what `old` says.
pub fn update(old: &Object, new: &Object) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let root = Path::ROOT;
    if old.kind() != new.kind() {
        errors.immutable(
            &root.field("kind"),
            format!("is {} and may not change", old.kind()),
        );
        return errors.into_vec();
    }
    metadata(old.meta(), new.meta(), &root.field("metadata"), &mut errors);
    match (old, new) {
        (Object::Deployment(old), Object::Deployment(new)) => {
            let path = root.field("spec");
            same(
                &old.spec.selector,
                &new.spec.selector,
                &path.field("selector"),
                &mut errors,
            );
        }
        (Object::ReplicaSet(old), Object::ReplicaSet(new)) => {
            let path = root.field("spec");
            same(
                &old.spec.selector,
                &new.spec.selector,
                &path.field("selector"),
                &mut errors,
            );
        }
        (Object::PriorityClass(old), Object::PriorityClass(new)) => {
            same(&old.value, &new.value, &root.field("value"), &mut errors);
            same(
                &old.preemption_policy.unwrap_or_default(),
                &new.preemption_policy.unwrap_or_default(),
                &root.field("preemptionPolicy"),
                &mut errors,
            );
        }
        (Object::Pod(old), Object::Pod(new)) => pod(old, new, &root.field("spec"), &mut errors),
        (Object::Node(old), Object::Node(new)) => node(old, new, &root.field("spec"), &mut errors),
        (Object::ConfigMap(old), Object::ConfigMap(new)) => config_map(old, new, &root, &mut errors),
        (Object::Secret(old), Object::Secret(new)) => secret(old, new, &root, &mut errors),
        _ => {}
    }
    errors.into_vec()
}

/// What the server sets may be left out, and may not be anything else.
fn metadata(old: &ObjectMeta, new: &ObjectMeta, path: &Path<'_>, errors: &mut Errors) {
    same(&old.name, &new.name, &path.field("name"), errors);
    same(&old.namespace, &new.namespace, &path.field("namespace"), errors);
    if !new.uid.is_empty() {
        same(&old.uid, &new.uid, &path.field("uid"), errors);
    }
    if new.creation_timestamp.is_some() {
        same(
            &old.creation_timestamp,
            &new.creation_timestamp,
            &path.field("creationTimestamp"),
            errors,
        );
    }
    if new.deletion_timestamp.is_some() {
        same(
            &old.deletion_timestamp,
            &new.deletion_timestamp,
            &path.field("deletionTimestamp"),
            errors,
        );
    }
    let added = new
        .finalizers
        .iter()
        .filter(|finalizer| !old.finalizers.contains(finalizer));
    for finalizer in added.filter(|_| old.is_deleting()) {
        let message = format!("`{finalizer}` may not be added while the object is being deleted");
        errors.forbidden(&path.field("finalizers"), message);
    }
}

fn same<T: PartialEq>(old: &T, new: &T, path: &Path<'_>, errors: &mut Errors) {
    if old != new {
        errors.immutable(
            path,
            "is immutable: it may not change; delete the object and create it again",
        );
    }
}

fn config_map(old: &ConfigMap, new: &ConfigMap, path: &Path<'_>, errors: &mut Errors) {
    if old.immutable {
        frozen(new.immutable, old.data == new.data, path, errors);
        if old.binary_data != new.binary_data {
            errors.immutable(
                &path.field("binaryData"),
                "may not change: the object is immutable",
            );
        }
    }
}

fn secret(old: &Secret, new: &Secret, path: &Path<'_>, errors: &mut Errors) {
    same(&old.r#type, &new.r#type, &path.field("type"), errors);
    if old.immutable {
        frozen(new.immutable, old.data == new.data, path, errors);
    }
}

fn frozen(still_immutable: bool, same_data: bool, path: &Path<'_>, errors: &mut Errors) {
    if !still_immutable {
        errors.immutable(
            &path.field("immutable"),
            "may not be taken back; delete the object and create it again",
        );
    }
    if !same_data {
        errors.immutable(&path.field("data"), "may not change: the object is immutable");
    }
}

fn node(old: &Node, new: &Node, path: &Path<'_>, errors: &mut Errors) {
    if !old.spec.pod_cidr.is_empty() {
        same(
            &old.spec.pod_cidr,
            &new.spec.pod_cidr,
            &path.field("podCIDR"),
            errors,
        );
        same(
            &old.spec.pod_cidrs,
            &new.spec.pod_cidrs,
            &path.field("podCIDRs"),
            errors,
        );
    }
}

/// Images, a shorter deadline, more tolerations, fewer gates and another grace period are all that may change of a pod, and
/// its nodeSelector may get narrower while a gate holds it back.
fn pod(old: &Pod, new: &Pod, path: &Path<'_>, errors: &mut Errors) {
    let allowed = allowed_changes(&old.spec, &new.spec);
    if allowed == *new.spec {
        return;
    }
    let (Ok(allowed), Ok(new)) = (serde_json::to_value(&allowed), serde_json::to_value(&new.spec)) else {
        return;
    };
    differences(&allowed, &new, path, errors);
}

/// The old spec with those changes of the new one that are allowed.
fn allowed_changes(old: &PodSpec, new: &PodSpec) -> PodSpec {
    let mut spec = old.clone();
    let pairs = spec.containers.iter_mut().zip(&new.containers);
    let init_pairs = spec.init_containers.iter_mut().zip(&new.init_containers);
    for (old, new) in pairs.chain(init_pairs).filter(|(old, new)| old.name == new.name) {
        old.image.clone_from(&new.image);
        old.image_pull_policy = new.image_pull_policy;
    }
    let shorter = match (old.active_deadline_seconds, new.active_deadline_seconds) {
        (None, Some(_)) => true,
        (Some(old), Some(new)) => new <= old,
        (_, None) => false,
    };
    if shorter {
        spec.active_deadline_seconds = new.active_deadline_seconds;
    }
    if old
        .tolerations
        .iter()
        .all(|toleration| new.tolerations.contains(toleration))
    {
        spec.tolerations.clone_from(&new.tolerations);
    }
    if new
        .scheduling_gates
        .iter()
        .all(|gate| old.scheduling_gates.contains(gate))
    {
        spec.scheduling_gates.clone_from(&new.scheduling_gates);
    }
    let narrower = old
        .node_selector
        .iter()
        .all(|(key, value)| new.node_selector.get(key) == Some(value));
    if !old.scheduling_gates.is_empty() && narrower {
        spec.node_selector.clone_from(&new.node_selector);
    }
    spec.termination_grace_period_seconds = new.termination_grace_period_seconds;
    spec
}

/// Names each field that differs.
fn differences(old: &Value, new: &Value, path: &Path<'_>, errors: &mut Errors) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            let added = new.keys().filter(|name| !old.contains_key(*name));
            for name in old.keys().chain(added) {
                let (old, new) = (old.get(name), new.get(name));
                differences(
                    old.unwrap_or(&Value::Null),
                    new.unwrap_or(&Value::Null),
                    &path.field(name),
                    errors,
                );
            }
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                differences(old, new, &path.index(index), errors);
            }
        }
        (old, new) if old != new => {
            let message = "may not change: of a pod only images, activeDeadlineSeconds (shorter), tolerations (more), \
                           schedulingGates (fewer) and terminationGracePeriodSeconds may; delete it and create it again";
            errors.immutable(path, message);
        }
        _ => {}
    }
}
