//! How a pod is doing, as its status says it.

use skep_api::{ContainerStatus, PodIp, PodPhase, PodStatus, RestartPolicy, Time};

use super::{
    Address, Desired, Observed, conditions,
    container_status::container_status,
    goal::{Cause, DEADLINE_EXCEEDED, EVICTED, Goal, REFUSED},
    plan::Plan,
};
use crate::spec::qos_class;

/// The status; `plan` hears when it will change by itself.
pub(super) fn status(
    desired: &Desired,
    observed: &Observed,
    goal: Goal,
    now: Time,
    plan: &mut Plan<'_>,
) -> PodStatus {
    let (mut inits, mut apps) = (Vec::new(), Vec::new());
    for (container, role) in desired.containers() {
        let status = container_status(desired, observed, container, role, goal, now, plan);
        if role.is_init() {
            inits.push(status);
        } else {
            apps.push(status);
        }
    }
    let (sidecars, runs_to_end) = split(desired, &inits);
    let phase = phase(desired, observed, goal, &inits, &apps);
    let (reason, message) = cause(observed, goal, phase);
    let pod_ip = pod_ip(desired, observed);
    PodStatus {
        phase,
        conditions: conditions::conditions(desired, observed, phase, (&runs_to_end, &sidecars), &apps, now),
        message,
        reason,
        host_ip: desired.host_ip.clone(),
        pod_ips: Vec::from_iter((!pod_ip.is_empty()).then(|| PodIp { ip: pod_ip.clone() })),
        pod_ip,
        start_time: observed.status.start_time.or(Some(now.whole_secs())),
        init_container_statuses: inits,
        container_statuses: apps,
        qos_class: Some(qos_class(&desired.pod)),
        ..PodStatus::default()
    }
}

fn cause(observed: &Observed, goal: Goal, phase: PodPhase) -> (String, String) {
    if goal == Goal::Ended(Cause::Deadline) {
        let message = "Pod was active on the node longer than the specified deadline";
        return (DEADLINE_EXCEEDED.to_owned(), message.to_owned());
    }
    if let (Goal::Ended(Cause::Evicted), Some(why)) = (goal, &observed.evicted) {
        return (EVICTED.to_owned(), why.message.clone());
    }
    if let (Goal::Ended(Cause::Refused), Some(why)) = (goal, &observed.refused) {
        return (REFUSED.to_owned(), why.clone());
    }
    match phase {
        PodPhase::Succeeded | PodPhase::Failed => {
            (observed.status.reason.clone(), observed.status.message.clone())
        }
        _ => (String::new(), String::new()),
    }
}

fn pod_ip(desired: &Desired, observed: &Observed) -> String {
    match observed.address {
        _ if desired.pod.spec.host_network => desired.host_ip.clone(),
        Address::Held(address) => address.to_string(),
        Address::None => observed.status.pod_ip.clone(),
    }
}

/// As Kubernetes counts: a container between two runs is neither waiting nor running.
fn phase(
    desired: &Desired,
    observed: &Observed,
    goal: Goal,
    inits: &[ContainerStatus],
    apps: &[ContainerStatus],
) -> PodPhase {
    let before = observed.status.phase;
    match goal {
        Goal::Ended(Cause::Deadline | Cause::Evicted | Cause::Refused) => return PodPhase::Failed,
        _ if matches!(before, PodPhase::Succeeded | PodPhase::Failed) => return before,
        _ => {}
    }
    let policy = desired.pod.spec.restart_policy;
    let failed =
        |status: &ContainerStatus| status.state.terminated.as_ref().is_some_and(|t| t.exit_code != 0);
    let (sidecars, runs_to_end) = split(desired, inits);
    let initialized =
        runs_to_end.iter().all(|status| status.ready) && sidecars.iter().all(|s| s.started == Some(true));
    if !initialized && apps.iter().all(|status| status.container_id.is_empty()) {
        let over = policy == RestartPolicy::Never && runs_to_end.iter().any(|status| failed(status));
        return if over { PodPhase::Failed } else { PodPhase::Pending };
    }
    let has_run = |status: &ContainerStatus| status.last_state.terminated.is_some();
    let waiting = apps
        .iter()
        .any(|s| s.state.terminated.is_none() && s.state.running.is_none() && !has_run(s));
    let all_over = apps.iter().all(|status| status.state.terminated.is_some());
    let ends = goal != Goal::Run;
    // Sidecars end once the others have; until then the pod is not over.
    let attended = !ends && sidecars.iter().any(|status| status.state.running.is_some());
    if all_over && attended {
        PodPhase::Running
    } else if all_over && !apps.iter().any(failed) && (ends || policy != RestartPolicy::Always) {
        PodPhase::Succeeded
    } else if all_over && (ends || policy == RestartPolicy::Never) {
        PodPhase::Failed
    } else if waiting && before != PodPhase::Running {
        PodPhase::Pending
    } else {
        PodPhase::Running
    }
}

/// The statuses of sidecars, and those of init containers that run to their end.
fn split<'a>(
    desired: &Desired,
    inits: &'a [ContainerStatus],
) -> (Vec<&'a ContainerStatus>, Vec<&'a ContainerStatus>) {
    let statuses = desired.init_containers().zip(inits);
    let (sidecars, others): (Vec<_>, Vec<_>) = statuses.partition(|((_, role), _)| role.lasts());
    let plain = |list: Vec<(_, &'a ContainerStatus)>| list.into_iter().map(|(_, status)| status).collect();
    (plain(sidecars), plain(others))
}
