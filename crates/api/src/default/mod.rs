//! Fills in what a document leaves out and depends on other fields. Plain defaults are those of the types.

mod limits;
mod pod;
mod workload;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{Namespace, OPAQUE_SECRET, Object, ObjectMeta, PodSpec, Secret, path::Path, well_known};

/// The namespace of objects that name none.
pub const NAMESPACE: &str = "default";

/// The finalizer that stands for a namespace's contents.
pub const NAMESPACE_FINALIZER: &str = "kubernetes";

/// Fills in what the object leaves out; running it again changes nothing. Returns what its author should know.
pub fn apply(object: &mut Object) -> Vec<String> {
    let mut warnings = Vec::new();
    if object.kind().namespaced() && object.meta().namespace.is_empty() {
        NAMESPACE.clone_into(&mut object.meta_mut().namespace);
    }
    match object {
        Object::Namespace(namespace) => default_namespace(namespace),
        Object::Secret(secret) => default_secret(secret),
        Object::Pod(pod) => {
            pod::spec(&mut pod.spec, &Path::ROOT.field("spec"), &mut warnings);
            if !has_tier(&pod.metadata) {
                requests(&mut pod.spec);
            }
        }
        Object::ReplicaSet(replica_set) => workload::replica_set(replica_set, &mut warnings),
        Object::Deployment(deployment) => workload::deployment(deployment, &mut warnings),
        Object::LimitRange(range) => range.spec.limits.iter_mut().for_each(limits::item),
        _ => {}
    }
    warnings
}

/// Containers that state a limit and no request ask for the limit. For pods of a tier this waits for the tier's word.
pub fn requests(spec: &mut PodSpec) {
    pod::requests(spec);
}

fn has_tier(meta: &ObjectMeta) -> bool {
    meta.labels.contains_key(well_known::TIER)
}

fn default_namespace(namespace: &mut Namespace) {
    if namespace.spec.finalizers.is_empty() && !namespace.metadata.is_deleting() {
        namespace.spec.finalizers.push(NAMESPACE_FINALIZER.to_owned());
    }
}

fn default_secret(secret: &mut Secret) {
    for (key, text) in std::mem::take(&mut secret.string_data) {
        secret.data.insert(key, STANDARD.encode(text));
    }
    if secret.r#type.is_empty() {
        OPAQUE_SECRET.clone_into(&mut secret.r#type);
    }
}
