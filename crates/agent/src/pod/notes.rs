//! Events that follow from a status becoming another.

use skep_api::{ContainerStatus, PodStatus};

use super::{
    Note,
    goal::{DEADLINE_EXCEEDED, EVICTED, REFUSED},
};

/// What to tell of when `after` follows `before`.
pub(crate) fn notes(before: &PodStatus, after: &PodStatus) -> Vec<Note> {
    let all = |status: &PodStatus| -> Vec<ContainerStatus> {
        status
            .init_container_statuses
            .iter()
            .chain(&status.container_statuses)
            .cloned()
            .collect()
    };
    let before_all = all(before);
    let mut notes = Vec::new();
    for status in all(after) {
        let Some(waiting) = &status.state.waiting else {
            continue;
        };
        let old = before_all.iter().find(|old| old.name == status.name);
        let old = old
            .and_then(|old| old.state.waiting.as_ref())
            .map(|waiting| waiting.reason.as_str());
        if old == Some(waiting.reason.as_str()) {
            continue;
        }
        let message = match waiting.reason.as_str() {
            "CrashLoopBackOff" => format!("Back-off restarting failed container {}", status.name),
            "ImagePullBackOff" => format!("Back-off pulling image \"{}\"", status.image),
            _ => continue,
        };
        notes.push(Note {
            container: status.name.clone(),
            warning: true,
            reason: "BackOff",
            message,
        });
    }
    let ended = [DEADLINE_EXCEEDED, EVICTED, REFUSED]
        .into_iter()
        .find(|reason| *reason == after.reason);
    if let Some(reason) = ended.filter(|reason| *reason != before.reason) {
        notes.push(Note {
            warning: true,
            reason,
            message: after.message.clone(),
            ..Note::default()
        });
    }
    notes
}
