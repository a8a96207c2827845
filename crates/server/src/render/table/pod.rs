//! Pods as rows: the status in one word is the part with the rules.

use skep_api::{
    Condition, Container, ContainerState, ContainerStateTerminated, ContainerStatus, Pod, PodPhase, Time,
};

use super::{AGE, Column, NAME, shown, wide};
use crate::render::{age::age, cells::or_none};

pub(super) const COLUMNS: &[Column] = &[
    NAME,
    shown("READY", "string", "Containers that are ready, of all."),
    shown("STATUS", "string", "What it is doing, in one word."),
    shown(
        "RESTARTS",
        "string",
        "How often containers were started again, and when last.",
    ),
    AGE,
    wide("IP", "string", "Its address."),
    wide("NODE", "string", "The node it is bound to."),
    wide(
        "NOMINATED NODE",
        "string",
        "The node that is being cleared for it.",
    ),
    wide(
        "READINESS GATES",
        "string",
        "More conditions that it must meet to be ready.",
    ),
];

pub(super) fn row(pod: &Pod, now: Time) -> Vec<String> {
    let summary = Summary::of(pod);
    let restarts = match summary.last_restart {
        Some(last) if summary.restarts > 0 => format!("{} ({} ago)", summary.restarts, age(now, Some(last))),
        _ => summary.restarts.to_string(),
    };
    vec![
        pod.metadata.name.clone(),
        format!("{}/{}", summary.ready, pod.spec.lasting_containers().count()),
        summary.status,
        restarts,
        age(now, pod.metadata.creation_timestamp),
        or_none(&pod.status.pod_ip),
        or_none(&pod.spec.node_name),
        or_none(&pod.status.nominated_node_name),
        or_none(""),
    ]
}

/// The reason of a pod that its scheduling gates hold back.
const GATED: &str = "SchedulingGated";

fn is_gated(pod: &Pod) -> bool {
    let scheduled = Condition::find(&pod.status.conditions, "PodScheduled");
    pod.status.phase == PodPhase::Pending && scheduled.is_some_and(|condition| condition.reason == GATED)
}

/// What the pod is doing, in one word such as `Running`, `Init:0/1`, `CrashLoopBackOff`.
pub(crate) fn status(pod: &Pod) -> String {
    Summary::of(pod).status
}

/// What kubectl makes of the states of a pod's containers.
struct Summary {
    status: String,
    ready: usize,
    restarts: i32,
    /// Those of sidecars alone; init containers that are over count no more.
    of_sidecars: i32,
    last_restart: Option<Time>,
}

impl Summary {
    fn of(pod: &Pod) -> Self {
        let status = &pod.status;
        let word = if !status.reason.is_empty() {
            status.reason.clone()
        } else if is_gated(pod) {
            GATED.to_owned()
        } else {
            format!("{:?}", status.phase)
        };
        let mut summary = Self {
            status: word,
            ready: 0,
            restarts: 0,
            of_sidecars: 0,
            last_restart: None,
        };
        let initializing = summary.look_at_init_containers(pod);
        if !initializing || Condition::is_true(&status.conditions, "Initialized") {
            summary.look_at_containers(pod);
        }
        if status.phase == PodPhase::Failed && !status.reason.is_empty() {
            // How its containers were ended says less.
            summary.status.clone_from(&status.reason);
        }
        if pod.metadata.is_deleting() {
            if status.reason == "NodeLost" {
                summary.status = "Unknown".to_owned();
            } else if !matches!(status.phase, PodPhase::Succeeded | PodPhase::Failed) {
                summary.status = "Terminating".to_owned();
            }
        }
        summary
    }

    /// Takes the word from the first init container that has not succeeded; true where there is one.
    fn look_at_init_containers(&mut self, pod: &Pod) -> bool {
        let containers = &pod.spec.init_containers;
        for (index, container) in pod.status.init_container_statuses.iter().enumerate() {
            self.count(container);
            let is_sidecar = containers.get(index).is_some_and(Container::is_sidecar);
            if is_sidecar {
                self.of_sidecars += container.restart_count;
            }
            if is_sidecar && container.started == Some(true) {
                self.ready += usize::from(container.ready);
                continue;
            }
            let ContainerState {
                waiting, terminated, ..
            } = &container.state;
            self.status = match (terminated, waiting) {
                (Some(end), _) if end.exit_code == 0 => continue,
                (Some(end), _) => format!("Init:{}", ending(end)),
                (None, Some(wait)) if !wait.reason.is_empty() && wait.reason != "PodInitializing" => {
                    format!("Init:{}", wait.reason)
                }
                _ => format!("Init:{index}/{}", pod.spec.init_containers.len()),
            };
            return true;
        }
        false
    }

    /// Takes the word from the first container that does not run.
    fn look_at_containers(&mut self, pod: &Pod) {
        self.restarts = self.of_sidecars;
        let mut running = false;
        for container in pod.status.container_statuses.iter().rev() {
            self.count(container);
            match &container.state {
                ContainerState {
                    waiting: Some(wait), ..
                } if !wait.reason.is_empty() => {
                    self.status.clone_from(&wait.reason);
                }
                ContainerState {
                    terminated: Some(end),
                    ..
                } => self.status = ending(end),
                ContainerState { running: Some(_), .. } if container.ready => {
                    running = true;
                    self.ready += 1;
                }
                _ => {}
            }
        }
        if self.status == "Completed" && running {
            let ready = Condition::is_true(&pod.status.conditions, "Ready");
            self.status = if ready { "Running" } else { "NotReady" }.to_owned();
        }
    }

    fn count(&mut self, container: &ContainerStatus) {
        self.restarts += container.restart_count;
        let ended = container
            .last_state
            .terminated
            .as_ref()
            .and_then(|end| end.finished_at);
        self.last_restart = self.last_restart.max(ended);
    }
}

/// How a container ended, in one word.
fn ending(end: &ContainerStateTerminated) -> String {
    match (end.reason.as_str(), end.signal) {
        ("", 0) => format!("ExitCode:{}", end.exit_code),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.to_owned(),
    }
}
