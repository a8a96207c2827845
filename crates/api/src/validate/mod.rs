//! What makes an object sound, kind by kind. Defaults have been filled in before.

mod affinity;
mod config;
mod container;
mod env;
mod event;
mod meta;
mod namespace;
mod node;
mod pod;
mod policy;
mod probe;
mod quota;
mod resources;
mod scheduling;
mod security;
mod selector;
mod update;
mod volume;
mod workload;

pub use config::CONFIG_BYTES_MAX;
pub use update::update;

use crate::{FieldError, Object, errors::Errors, path::Path};

/// Everything that is wrong with an object.
pub fn object(object: &Object) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let root = Path::ROOT;
    meta::object(object, &root.field("metadata"), &mut errors);
    match object {
        Object::Namespace(namespace) => namespace::check(namespace, &root, &mut errors),
        Object::Node(node) => node::check(node, &root, &mut errors),
        Object::ConfigMap(config_map) => config::config_map(config_map, &root, &mut errors),
        Object::Secret(secret) => config::secret(secret, &root, &mut errors),
        Object::Pod(pod) => pod::pod(pod, &root.field("spec"), &mut errors),
        Object::ReplicaSet(replica_set) => {
            workload::replica_set(replica_set, &root.field("spec"), &mut errors);
        }
        Object::Deployment(deployment) => workload::deployment(deployment, &root.field("spec"), &mut errors),
        Object::PriorityClass(class) => policy::priority_class(class, &root, &mut errors),
        Object::WorkloadTier(tier) => policy::tier(tier, &root.field("spec"), &mut errors),
        Object::NodePool(pool) => policy::pool(pool, &root.field("spec"), &mut errors),
        Object::PodDisruptionBudget(budget) => policy::budget(budget, &root.field("spec"), &mut errors),
        Object::ResourceQuota(quota) => quota::quota(quota, &root.field("spec"), &mut errors),
        Object::LimitRange(range) => quota::limit_range(range, &root.field("spec"), &mut errors),
        Object::Event(event) => event::check(event, &root, &mut errors),
    }
    errors.into_vec()
}
