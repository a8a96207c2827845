//! Replica sets and deployments as rows.

use skep_api::{Deployment, LabelSelector, PodTemplateSpec, ReplicaSet, Time};

use super::{AGE, Column, NAME, shown, wide};
use crate::render::{age::age, cells};

const CONTAINERS: Column = wide("CONTAINERS", "string", "Names of the containers.");
const IMAGES: Column = wide("IMAGES", "string", "Images of the containers.");
const SELECTOR: Column = wide("SELECTOR", "string", "Which pods belong to it.");

pub(super) const DEPLOYMENT_COLUMNS: &[Column] = &[
    NAME,
    shown(
        "READY",
        "string",
        "Pods that are ready, of those that should be there.",
    ),
    shown("UP-TO-DATE", "integer", "Pods of the newest revision."),
    shown(
        "AVAILABLE",
        "integer",
        "Pods that have been ready for minReadySeconds.",
    ),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];

pub(super) const REPLICA_SET_COLUMNS: &[Column] = &[
    NAME,
    shown("DESIRED", "integer", "Pods there should be."),
    shown("CURRENT", "integer", "Pods there are."),
    shown("READY", "integer", "Pods that are ready."),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];

pub(super) fn deployment_row(deployment: &Deployment, now: Time) -> Vec<String> {
    let (meta, spec, status) = (&deployment.metadata, &deployment.spec, &deployment.status);
    let mut cells = vec![
        meta.name.clone(),
        format!("{}/{}", status.ready_replicas, spec.replicas),
        status.updated_replicas.to_string(),
        status.available_replicas.to_string(),
        age(now, meta.creation_timestamp),
    ];
    cells.extend(wide_cells(&spec.template, &spec.selector));
    cells
}

pub(super) fn replica_set_row(replica_set: &ReplicaSet, now: Time) -> Vec<String> {
    let (meta, spec, status) = (&replica_set.metadata, &replica_set.spec, &replica_set.status);
    let mut cells = vec![
        meta.name.clone(),
        spec.replicas.to_string(),
        status.replicas.to_string(),
        status.ready_replicas.to_string(),
        age(now, meta.creation_timestamp),
    ];
    cells.extend(wide_cells(&spec.template, &spec.selector));
    cells
}

fn wide_cells(template: &PodTemplateSpec, selector: &LabelSelector) -> [String; 3] {
    let (names, images) = cells::containers(&template.spec.containers);
    [names, images, cells::selector(selector)]
}
