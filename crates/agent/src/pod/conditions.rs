//! A pod's conditions: PodScheduled, Initialized, ContainersReady, Ready.

use skep_api::{Condition, ConditionStatus, ContainerStatus, PodPhase, Time};

use super::{Desired, Observed};

/// The conditions; a time of transition stays while the status does.
pub(super) fn conditions(
    desired: &Desired,
    observed: &Observed,
    phase: PodPhase,
    (inits, sidecars): (&[&ContainerStatus], &[&ContainerStatus]),
    apps: &[ContainerStatus],
    now: Time,
) -> Vec<Condition> {
    let known = |name: &str| {
        observed
            .status
            .conditions
            .iter()
            .find(|condition| condition.r#type == name)
    };
    let scheduled = known("PodScheduled")
        .or_else(|| {
            desired
                .pod
                .status
                .conditions
                .iter()
                .find(|condition| condition.r#type == "PodScheduled")
        })
        .cloned();
    let dated = |name: &str, (reason, message): (&str, String)| {
        let status = if reason.is_empty() || (name == "Initialized" && reason == "PodCompleted") {
            ConditionStatus::True
        } else {
            ConditionStatus::False
        };
        let since = known(name)
            .filter(|known| known.status == status)
            .and_then(|known| known.last_transition_time);
        Condition {
            r#type: name.to_owned(),
            status,
            reason: reason.to_owned(),
            message,
            last_transition_time: since.or(Some(now.whole_secs())),
            ..Condition::default()
        }
    };
    let ready = readiness(phase, sidecars, apps);
    vec![
        scheduled.unwrap_or_else(|| dated("PodScheduled", ("", String::new()))),
        dated("Initialized", initialized(phase, inits, sidecars, apps)),
        dated("Ready", ready.clone()),
        dated("ContainersReady", ready),
    ]
}

/// Reason and message; no reason means that the condition holds.
fn initialized(
    phase: PodPhase,
    inits: &[&ContainerStatus],
    sidecars: &[&ContainerStatus],
    apps: &[ContainerStatus],
) -> (&'static str, String) {
    if phase == PodPhase::Succeeded {
        return ("PodCompleted", String::new());
    }
    let unended = inits.iter().filter(|status| !status.ready);
    let unstarted = sidecars.iter().filter(|status| status.started != Some(true));
    let incomplete = names(unended.chain(unstarted).copied());
    if incomplete.is_empty() || apps.iter().any(|status| !status.container_id.is_empty()) {
        return ("", String::new());
    }
    (
        "ContainersNotInitialized",
        format!("containers with incomplete status: [{incomplete}]"),
    )
}

fn readiness(
    phase: PodPhase,
    sidecars: &[&ContainerStatus],
    apps: &[ContainerStatus],
) -> (&'static str, String) {
    match phase {
        PodPhase::Succeeded => return ("PodCompleted", String::new()),
        PodPhase::Failed => return ("PodFailed", String::new()),
        PodPhase::Pending | PodPhase::Running | PodPhase::Unknown => {}
    }
    let all = sidecars.iter().copied().chain(apps);
    let unready = names(all.filter(|status| !status.ready));
    if unready.is_empty() {
        return ("", String::new());
    }
    (
        "ContainersNotReady",
        format!("containers with unready status: [{unready}]"),
    )
}

fn names<'a>(statuses: impl Iterator<Item = &'a ContainerStatus>) -> String {
    statuses
        .map(|status| status.name.as_str())
        .collect::<Vec<_>>()
        .join(" ")
}
