//! One object explained: its fields, what it is waiting for, its events.

mod container;
mod events;
mod lookup;
mod node;
mod page;
mod plain;
mod pod;
mod policy;
mod volume;
mod waiting;
mod workload;

use std::collections::BTreeMap;

use skep_api::{Object, ObjectMeta, Time};
use skep_state::State;

use super::cells::NONE;
use page::Page;

/// The last applied document: as long as the object itself, so it is not shown among the annotations.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// What there is to know about an object, for people, in kubectl's form.
pub(crate) fn describe(state: &State, object: &Object, now: Time) -> String {
    let mut page = Page::default();
    match object {
        Object::Namespace(namespace) => plain::namespace(&mut page, state, namespace),
        Object::Node(node) => node::node(&mut page, state, node, now),
        Object::ConfigMap(config_map) => plain::config_map(&mut page, config_map),
        Object::Secret(secret) => plain::secret(&mut page, secret),
        Object::Pod(pod) => pod::pod(&mut page, state, pod, now),
        Object::ReplicaSet(replica_set) => workload::replica_set(&mut page, state, replica_set, now),
        Object::Deployment(deployment) => workload::deployment(&mut page, state, deployment, now),
        Object::PriorityClass(class) => policy::priority_class(&mut page, class),
        Object::PodDisruptionBudget(budget) => policy::budget(&mut page, budget),
        Object::ResourceQuota(quota) => policy::quota(&mut page, quota),
        Object::LimitRange(range) => policy::limit_range(&mut page, range),
        Object::WorkloadTier(tier) => policy::tier(&mut page, state, tier),
        Object::NodePool(pool) => policy::pool(&mut page, state, pool),
        Object::Event(event) => plain::event(&mut page, event),
    }
    if !matches!(object, Object::Event(_)) {
        events::events(&mut page, state, object, now);
    }
    page.finish()
}

/// `Name` and, where it has one, `Namespace`.
fn names(page: &mut Page, meta: &ObjectMeta) {
    page.field(0, "Name", &meta.name);
    page.field_if(0, "Namespace", &meta.namespace);
}

/// Labels and annotations of the object itself.
fn labels(page: &mut Page, level: usize, meta: &ObjectMeta) {
    page.list(level, "Labels", pairs(&meta.labels, "="));
    let mut annotations = meta.annotations.clone();
    annotations.remove(LAST_APPLIED);
    if level == 0 || !annotations.is_empty() {
        page.list(level, "Annotations", pairs(&annotations, ": "));
    }
}

fn pairs(map: &BTreeMap<String, String>, between: &str) -> Vec<String> {
    map.iter()
        .map(|(key, value)| format!("{key}{between}{}", value.replace('\n', "\\n")))
        .collect()
}

/// `Controlled By`, where something controls it.
fn controlled_by(page: &mut Page, meta: &ObjectMeta) {
    if let Some(owner) = meta.controller() {
        page.field(0, "Controlled By", format!("{}/{}", owner.kind, owner.name));
    }
}

#[cfg(test)]
mod tests;
