//! Keeps containers on the CPUs that they may run on: when one gets CPUs to itself, the others leave them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::time::MissedTickBehavior;

use crate::{
    runtime::{Container, ContainerId, RunState, RuntimeError},
    shared::Shared,
    spec::{ContainerKind, ContainerLabels, label, node_labels},
};

/// How often all containers are looked at although nothing told of a change.
const EVERY: Duration = Duration::from_secs(10);

/// Runs for ever. Where nobody has CPUs to himself, all that is to do is to let go those that an agent set up otherwise has left
/// on few CPUs.
pub(crate) async fn keep(shared: Arc<Shared>) {
    shared.cluster_known().await;
    shared.devices.settled().await;
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut known = BTreeMap::new();
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = shared.devices.cpus_changed() => {}
        }
        match keep_once(&shared, &mut known).await {
            Ok(()) if shared.devices.shared_cpus().is_empty() => return std::future::pending().await,
            Ok(()) => {}
            Err(error) => tracing::debug!(%error, "containers may run on others' CPUs; trying again"),
        }
    }
}

/// `known` has the CPUs that containers were put on, by id.
async fn keep_once(shared: &Shared, known: &mut BTreeMap<ContainerId, String>) -> Result<(), RuntimeError> {
    let labels = node_labels(shared.cluster(), &shared.config.node_name);
    let containers = shared.runtime.containers(&labels).await?;
    known.retain(|id, _| containers.iter().any(|container| container.id == *id));
    for container in &containers {
        let Some(wanted) = wanted(shared, container) else {
            continue;
        };
        if known.get(&container.id) == Some(&wanted) {
            continue;
        }
        shared.runtime.set_cpus(&container.id, &wanted).await?;
        known.insert(container.id.clone(), wanted);
    }
    Ok(())
}

/// The CPUs that a container is to run on; `None` where it may stay as it is.
fn wanted(shared: &Shared, container: &Container) -> Option<String> {
    let labels = ContainerLabels::parse(&container.labels)?;
    if labels.kind == ContainerKind::Holder || matches!(container.state, RunState::Exited { .. }) {
        return None;
    }
    let cpus = shared.devices.grant(&labels.pod_uid, &labels.container_name).cpus;
    if !cpus.is_empty() {
        return Some(cpus);
    }
    let was_bound = container.labels.contains_key(label::CPUS);
    was_bound.then(|| shared.devices.all_cpus())
}
