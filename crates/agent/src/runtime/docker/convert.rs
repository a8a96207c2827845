//! What the engine reports, in the agent's terms.

use std::collections::{BTreeMap, HashMap};

use bollard::models::{ContainerInspectResponse, ContainerState, ContainerStateStatusEnum};
use skep_api::Time;

use crate::runtime::{Container, RunState};

/// What the engine says of a container whose address another one holds.
const ADDRESS_IN_USE: &str = "Address already in use";

pub(super) fn container(found: ContainerInspectResponse) -> Container {
    let config = found.config.unwrap_or_default();
    let state = found.state.unwrap_or_default();
    Container {
        id: found.id.unwrap_or_default(),
        name: found.name.unwrap_or_default().trim_start_matches('/').to_owned(),
        labels: config.labels.unwrap_or_default().into_iter().collect(),
        image: config.image.unwrap_or_default(),
        image_id: found.image.unwrap_or_default(),
        pid: state.pid.and_then(|pid| i32::try_from(pid).ok()).unwrap_or(0),
        state: run_state(&state, found.created.as_deref()),
    }
}

/// A container that could not be started stays `created`, with an error: it has ended.
fn run_state(state: &ContainerState, created: Option<&str>) -> RunState {
    use ContainerStateStatusEnum as Status;
    let message = state.error.clone().unwrap_or_default();
    let started = time(state.started_at.as_deref());
    match state.status {
        Some(Status::RUNNING | Status::PAUSED | Status::RESTARTING) => RunState::Running {
            started: started.unwrap_or_default(),
        },
        // It may be started once the address is free.
        Some(Status::CREATED) | None if message.is_empty() || message == ADDRESS_IN_USE => RunState::Created,
        _ => {
            let finished = time(state.finished_at.as_deref()).or_else(|| time(created));
            let finished = finished.unwrap_or_default();
            RunState::Exited {
                code: state
                    .exit_code
                    .and_then(|code| i32::try_from(code).ok())
                    .unwrap_or(-1),
                oom_killed: state.oom_killed.unwrap_or(false),
                message,
                // The engine notes the start when the process may be over already.
                started: started.map(|started| started.min(finished)),
                finished,
            }
        }
    }
}

/// The engine writes year 1 for "never".
fn time(text: Option<&str>) -> Option<Time> {
    let time: Time = text?.parse().ok()?;
    (time.as_millis() > 0).then_some(time)
}

/// The engine's filter for all of these labels.
pub(super) fn label_filters(labels: &BTreeMap<String, String>) -> HashMap<String, Vec<String>> {
    let labels = labels
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    HashMap::from([("label".to_owned(), labels)])
}
