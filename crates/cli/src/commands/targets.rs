//! The pods and containers that `skep logs` and `skep exec` mean.

use anyhow::{anyhow, bail};
use skep_api::{Condition, ConditionStatus, Deployment, Kind, Pod, PodPhase, ReplicaSet};

use super::live;
use crate::{args::ResourceId, context::Context};

/// The container that is meant where none is named.
const DEFAULT_CONTAINER: &str = "kubectl.kubernetes.io/default-container";

/// The pods behind an object, the best to look at first: a pod itself, or those that a deployment or replica set
/// selects.
///
/// # Errors
/// Where there is no such object, it has no pods, or the server cannot be asked.
pub(super) async fn pods(ctx: &Context, id: &ResourceId) -> anyhow::Result<Vec<Pod>> {
    let selector = match id.kind {
        Kind::Pod => return Ok(vec![live::get_as::<Pod>(ctx, id).await?]),
        Kind::Deployment => live::get_as::<Deployment>(ctx, id).await?.spec.selector,
        Kind::ReplicaSet => live::get_as::<ReplicaSet>(ctx, id).await?.spec.selector,
        kind => bail!("a {} has no pods", kind.singular()),
    };
    let mut pods = live::list_as::<Pod>(ctx, &id.namespace, &selector.to_string()).await?;
    if pods.is_empty() {
        bail!("{id} has no pods: `skep describe {id}` says why");
    }
    pods.sort_by_key(rank);
    Ok(pods)
}

/// The one pod to look at; says so on standard error where there are others.
///
/// # Errors
/// As [`pods`].
pub(super) async fn one_pod(ctx: &Context, id: &ResourceId) -> anyhow::Result<Pod> {
    let mut pods = pods(ctx, id).await?;
    let pod = pods.swap_remove(0);
    if !pods.is_empty() {
        eprintln!("Found {} pods, using pod/{}", pods.len() + 1, pod.metadata.name);
    }
    Ok(pod)
}

/// Running before others, ready before not ready, old before new.
fn rank(pod: &Pod) -> impl Ord + use<> {
    let ready = Condition::find(&pod.status.conditions, "Ready").map(|condition| condition.status);
    (
        pod.metadata.is_deleting(),
        pod.status.phase != PodPhase::Running,
        ready != Some(ConditionStatus::True),
        pod.metadata.creation_timestamp,
        pod.metadata.name.clone(),
    )
}

/// The container named, else the pod's default one; says so on standard error where there are others.
///
/// # Errors
/// Where the pod has no container of this name.
pub(super) fn container(pod: &Pod, named: Option<&str>, quiet: bool) -> anyhow::Result<String> {
    let name = &pod.metadata.name;
    if let Some(named) = named {
        let found = pod.spec.container(named).map(|container| container.name.clone());
        return found.ok_or_else(|| {
            anyhow!(
                "container {named} is not valid for pod {name}: it has {}",
                all(pod)
            )
        });
    }
    let annotated = pod.metadata.annotations.get(DEFAULT_CONTAINER);
    if let Some(annotated) = annotated.filter(|annotated| pod.spec.container(annotated).is_some()) {
        return Ok(annotated.clone());
    }
    let first = pod
        .spec
        .containers
        .first()
        .ok_or_else(|| anyhow!("pod {name} has no containers"))?;
    if pod.spec.all_containers().count() > 1 && !quiet {
        eprintln!("Defaulted container \"{}\" out of: {}", first.name, all(pod));
    }
    Ok(first.name.clone())
}

/// `web, log, migrate (init)`.
fn all(pod: &Pod) -> String {
    let containers = pod.spec.containers.iter().map(|container| container.name.clone());
    let init = pod
        .spec
        .init_containers
        .iter()
        .map(|container| format!("{} (init)", container.name));
    containers.chain(init).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use skep_testkit::{at, pod};

    use super::*;

    #[test]
    fn a_ready_pod_comes_first_and_the_oldest_of_those() {
        let mut pods = [
            pod("starting").build(),
            pod("young").ready().created(at(9)).build(),
            pod("old").ready().created(at(5)).build(),
            pod("ending").ready().deleting(at(9)).build(),
            pod("sick").running().build(),
        ];
        pods.sort_by_key(rank);
        let names: Vec<_> = pods.iter().map(|pod| pod.metadata.name.as_str()).collect();
        assert_eq!(names, ["old", "young", "sick", "starting", "ending"]);
    }

    #[test]
    fn a_container_is_the_one_named_annotated_or_first() {
        let plain = pod("web").sidecar("log", "1").init("migrate", "1").build();
        assert_eq!(container(&plain, None, true).unwrap(), "main");
        assert_eq!(container(&plain, Some("migrate"), true).unwrap(), "migrate");
        let error = container(&plain, Some("db"), true).unwrap_err().to_string();
        assert_eq!(
            error,
            "container db is not valid for pod web: it has main, log, migrate (init)"
        );
        let annotated = pod("web")
            .sidecar("log", "1")
            .annotation(DEFAULT_CONTAINER, "log")
            .build();
        assert_eq!(container(&annotated, None, true).unwrap(), "log");
    }
}
