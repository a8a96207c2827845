//! Objects as rows.

mod event;
mod node;
mod pod;
mod policy;
mod workload;

pub(crate) use node::roles;
pub(crate) use pod::status as pod_status;
pub(crate) use policy::{tier_budget, tier_spread};

use skep_api::{ConfigMap, Kind, Namespace, NamespacePhase, Object, Secret, Time, proto::TableColumn};

use super::age::age;

/// The columns of a kind, in the order of a row's cells.
pub(crate) fn columns(kind: Kind) -> Vec<TableColumn> {
    let columns: &[Column] = match kind {
        Kind::Namespace => &[
            NAME,
            shown("STATUS", "string", "Whether objects may be created in it."),
            AGE,
        ],
        Kind::ConfigMap => &[NAME, shown("DATA", "integer", "How many keys it has."), AGE],
        Kind::Secret => &[
            NAME,
            shown("TYPE", "string", "What the data is for."),
            shown("DATA", "integer", "How many keys it has."),
            AGE,
        ],
        Kind::Node => node::COLUMNS,
        Kind::Pod => pod::COLUMNS,
        Kind::ReplicaSet => workload::REPLICA_SET_COLUMNS,
        Kind::Deployment => workload::DEPLOYMENT_COLUMNS,
        Kind::PriorityClass => policy::PRIORITY_CLASS_COLUMNS,
        Kind::PodDisruptionBudget => policy::BUDGET_COLUMNS,
        Kind::ResourceQuota => policy::QUOTA_COLUMNS,
        Kind::LimitRange => policy::LIMIT_RANGE_COLUMNS,
        Kind::WorkloadTier => policy::TIER_COLUMNS,
        Kind::NodePool => policy::POOL_COLUMNS,
        Kind::Event => event::COLUMNS,
    };
    columns.iter().map(Column::to_proto).collect()
}

/// The object's cells, one for each of its kind's [`columns`].
pub(crate) fn row(object: &Object, now: Time) -> Vec<String> {
    match object {
        Object::Namespace(namespace) => namespace_row(namespace, now),
        Object::Node(node) => node::row(node, now),
        Object::ConfigMap(config_map) => config_map_row(config_map, now),
        Object::Secret(secret) => secret_row(secret, now),
        Object::Pod(pod) => pod::row(pod, now),
        Object::ReplicaSet(replica_set) => workload::replica_set_row(replica_set, now),
        Object::Deployment(deployment) => workload::deployment_row(deployment, now),
        Object::PriorityClass(class) => policy::priority_class_row(class, now),
        Object::PodDisruptionBudget(budget) => policy::budget_row(budget, now),
        Object::ResourceQuota(quota) => policy::quota_row(quota, now),
        Object::LimitRange(range) => policy::limit_range_row(range),
        Object::WorkloadTier(tier) => policy::tier_row(tier, now),
        Object::NodePool(pool) => policy::pool_row(pool, now),
        Object::Event(event) => event::row(event, now),
    }
}

fn namespace_row(namespace: &Namespace, now: Time) -> Vec<String> {
    let phase = match namespace.status.phase {
        NamespacePhase::Active => "Active",
        NamespacePhase::Terminating => "Terminating",
    };
    vec![
        namespace.metadata.name.clone(),
        phase.to_owned(),
        age(now, namespace.metadata.creation_timestamp),
    ]
}

fn config_map_row(config_map: &ConfigMap, now: Time) -> Vec<String> {
    let keys = config_map.data.len() + config_map.binary_data.len();
    let meta = &config_map.metadata;
    vec![
        meta.name.clone(),
        keys.to_string(),
        age(now, meta.creation_timestamp),
    ]
}

fn secret_row(secret: &Secret, now: Time) -> Vec<String> {
    let meta = &secret.metadata;
    vec![
        meta.name.clone(),
        secret.r#type.clone(),
        secret.data.len().to_string(),
        age(now, meta.creation_timestamp),
    ]
}

/// A column as the tables of this module write it down.
struct Column {
    name: &'static str,
    kind: &'static str,
    description: &'static str,
    wide: bool,
}

impl Column {
    fn to_proto(&self) -> TableColumn {
        TableColumn {
            name: self.name.to_owned(),
            r#type: self.kind.to_owned(),
            description: self.description.to_owned(),
            priority: i32::from(self.wide),
        }
    }
}

const NAME: Column = shown("NAME", "string", "Unique within kind and namespace.");
const AGE: Column = shown("AGE", "string", "How long ago it was created.");

/// A column that is always shown.
const fn shown(name: &'static str, kind: &'static str, description: &'static str) -> Column {
    Column {
        name,
        kind,
        description,
        wide: false,
    }
}

/// A column of the wide table only.
const fn wide(name: &'static str, kind: &'static str, description: &'static str) -> Column {
    Column {
        name,
        kind,
        description,
        wide: true,
    }
}

#[cfg(test)]
mod tests;
