//! Replica sets and deployments.

use skep_api::{
    Condition, Deployment, DeploymentStrategyType, Pod, PodPhase, PodTemplateSpec, ReplicaSet, Time,
};
use skep_state::State;

use super::{container, controlled_by, labels, lookup, names, page::Page, volume, waiting};
use crate::render::{age::date, cells};

pub(super) fn deployment(page: &mut Page, state: &State, deployment: &Deployment, now: Time) {
    let (meta, spec, status) = (&deployment.metadata, &deployment.spec, &deployment.status);
    names(page, meta);
    page.field(0, "CreationTimestamp", date(meta.creation_timestamp));
    labels(page, 0, meta);
    page.field(0, "Selector", cells::selector(&spec.selector));
    let replicas = format!(
        "{} desired | {} updated | {} total | {} available | {} unavailable",
        spec.replicas,
        status.updated_replicas,
        status.replicas,
        status.available_replicas,
        status.unavailable_replicas
    );
    page.field(0, "Replicas", replicas);
    page.field(0, "StrategyType", format!("{:?}", spec.strategy.r#type));
    page.field(0, "MinReadySeconds", spec.min_ready_seconds.to_string());
    if spec.strategy.r#type == DeploymentStrategyType::RollingUpdate {
        let bounds = spec.strategy.rolling_update.clone().unwrap_or_default();
        let bounds = format!(
            "{} max unavailable, {} max surge",
            bounds.max_unavailable, bounds.max_surge
        );
        page.field(0, "RollingUpdateStrategy", bounds);
    }
    if spec.paused {
        page.field(0, "Paused", "true");
    }
    let waits = waiting::deployment(state, deployment, now);
    if !waits.is_empty() {
        page.list(0, "Waiting for", waits);
    }
    template(page, &spec.template);
    conditions(page, &status.conditions);
    let (new, old) = lookup::replica_sets(state, deployment);
    let list = |sets: &[&ReplicaSet]| {
        cells::or_none(sets.iter().map(|set| created(set)).collect::<Vec<_>>().join(", "))
    };
    page.field(0, "OldReplicaSets", list(&old));
    page.field(0, "NewReplicaSet", list(new.as_slice()));
}

/// `web-5d4f (3/3 replicas created)`.
fn created(replica_set: &ReplicaSet) -> String {
    let (name, status) = (&replica_set.metadata.name, &replica_set.status);
    format!(
        "{name} ({}/{} replicas created)",
        status.replicas, replica_set.spec.replicas
    )
}

pub(super) fn replica_set(page: &mut Page, state: &State, replica_set: &ReplicaSet, now: Time) {
    let (meta, spec) = (&replica_set.metadata, &replica_set.spec);
    names(page, meta);
    page.field(0, "Selector", cells::selector(&spec.selector));
    labels(page, 0, meta);
    controlled_by(page, meta);
    page.field(
        0,
        "Replicas",
        format!(
            "{} current / {} desired",
            replica_set.status.replicas, spec.replicas
        ),
    );
    let pods = lookup::dependents::<Pod>(state, meta);
    let in_phase = |phase| pods.iter().filter(|pod| pod.status.phase == phase).count();
    let phases = format!(
        "{} Running / {} Waiting / {} Succeeded / {} Failed",
        in_phase(PodPhase::Running),
        in_phase(PodPhase::Pending),
        in_phase(PodPhase::Succeeded),
        in_phase(PodPhase::Failed)
    );
    page.field(0, "Pods Status", phases);
    let waits = waiting::replica_set(state, replica_set, now);
    if !waits.is_empty() {
        page.list(0, "Waiting for", waits);
    }
    template(page, &spec.template);
    conditions(page, &replica_set.status.conditions);
}

fn template(page: &mut Page, template: &PodTemplateSpec) {
    page.heading(0, "Pod Template");
    labels(page, 1, &template.metadata);
    container::containers(page, 1, "Init Containers", &template.spec.init_containers, &[]);
    container::containers(page, 1, "Containers", &template.spec.containers, &[]);
    volume::volumes(page, 1, &template.spec.volumes);
}

fn conditions(page: &mut Page, conditions: &[Condition]) {
    if conditions.is_empty() {
        return;
    }
    page.heading(0, "Conditions");
    let row = |condition: &Condition| {
        vec![
            condition.r#type.clone(),
            format!("{:?}", condition.status),
            condition.reason.clone(),
        ]
    };
    page.table(1, &["Type", "Status", "Reason"], conditions.iter().map(row));
}
