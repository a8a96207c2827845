//! What a pod is waiting for.

use std::time::Duration;

use skep_api::{
    Condition, ConditionStatus, Container, ContainerState, ContainerStateTerminated, ContainerStateWaiting,
    ContainerStatus, Event, Kind, Node, NodeCondition, NodeConditionType, ObjectKey, Pod, Probe, Time,
};
use skep_state::State;

use super::source;
use crate::render::{
    age::{age, human_duration},
    describe::{container::question, lookup},
};

/// What keeps the pod from being ready, or from being gone; nothing where it is as it should be.
pub(crate) fn waits(state: &State, pod: &Pod, now: Time) -> Vec<String> {
    if pod.metadata.is_deleting() {
        return vec![ending(pod, now)];
    }
    if pod.is_terminal() || pod.is_ready() {
        return Vec::new();
    }
    if pod.spec.node_name.is_empty() {
        return vec![placement(pod)];
    }
    if let Some(wait) = node(state, pod, now) {
        return vec![wait];
    }
    let view = View {
        pod,
        events: lookup::events(state, Kind::Pod, &pod.metadata),
        now,
    };
    if view.has_unstarted_container() {
        let missing = source::missing(state, pod);
        if !missing.is_empty() {
            return missing;
        }
    }
    view.init_container()
        .map_or_else(|| view.containers(), |wait| vec![wait])
}

fn ending(pod: &Pod, now: Time) -> String {
    if !pod.metadata.finalizers.is_empty() {
        return format!(
            "the finalizers {} to be removed",
            pod.metadata.finalizers.join(", ")
        );
    }
    let left = pod
        .metadata
        .deletion_timestamp
        .map(|until| until.since(now))
        .unwrap_or_default();
    match left.as_secs() {
        0 => "its containers to be killed: their grace period is over".to_owned(),
        _ => format!(
            "its containers to end: they are killed in {}",
            human_duration(left)
        ),
    }
}

fn placement(pod: &Pod) -> String {
    let scheduled = Condition::find(&pod.status.conditions, "PodScheduled");
    match scheduled.filter(|condition| condition.status != ConditionStatus::True) {
        Some(condition) if !condition.message.is_empty() => {
            format!("a node to run on: {}", condition.message)
        }
        _ => "the scheduler to choose a node".to_owned(),
    }
}

/// The pod's node, where it cannot do its part.
fn node(state: &State, pod: &Pod, now: Time) -> Option<String> {
    let name = &pod.spec.node_name;
    let Some(node) = state.get::<Node>(&ObjectKey::cluster(name)) else {
        return Some(format!("the node \"{name}\", which does not exist any more"));
    };
    let ready = NodeCondition::find(&node.status.conditions, NodeConditionType::Ready)?;
    if ready.status == ConditionStatus::True {
        return None;
    }
    let since = age(now, ready.last_transition_time);
    let why = if ready.message.is_empty() {
        &ready.reason
    } else {
        &ready.message
    };
    Some(format!(
        "the node \"{name}\", which has not been ready for {since}: {why}"
    ))
}

/// A pod on a node that can run it.
struct View<'a> {
    pod: &'a Pod,
    events: Vec<&'a Event>,
    now: Time,
}

impl View<'_> {
    fn has_unstarted_container(&self) -> bool {
        let status = &self.pod.status;
        let statuses = status
            .init_container_statuses
            .iter()
            .chain(&status.container_statuses);
        let unstarted = |status: &ContainerStatus| {
            status.state.running.is_none() && status.state.terminated.is_none() && status.restart_count == 0
        };
        status.container_statuses.is_empty() || statuses.into_iter().any(unstarted)
    }

    /// The first init container that has not succeeded, if there is one.
    fn init_container(&self) -> Option<String> {
        let containers = &self.pod.spec.init_containers;
        if Condition::is_true(&self.pod.status.conditions, "Initialized") {
            return None;
        }
        let statuses = &self.pod.status.init_container_statuses;
        let succeeded =
            |state: &ContainerState| state.terminated.as_ref().is_some_and(|end| end.exit_code == 0);
        let (index, container) = containers.iter().enumerate().find(|(_, container)| {
            !status_of(statuses, container).is_some_and(|status| {
                succeeded(&status.state) || container.is_sidecar() && status.started == Some(true)
            })
        })?;
        let title = format!(
            "init container \"{}\" ({} of {})",
            container.name,
            index + 1,
            containers.len()
        );
        let wait = match status_of(statuses, container) {
            Some(status) if container.is_sidecar() => self.container(container, status),
            Some(status) => match &status.state {
                ContainerState {
                    running: Some(running),
                    ..
                } => {
                    format!(
                        "{title} to end: it has been running for {}",
                        age(self.now, running.started_at)
                    )
                }
                state => self.not_running(&title, container, status, state),
            },
            None => format!("{title} to be started"),
        };
        Some(wait)
    }

    fn containers(&self) -> Vec<String> {
        let status = &self.pod.status;
        let wait = |container: &Container| match status_of(&status.container_statuses, container)
            .or_else(|| status_of(&status.init_container_statuses, container))
        {
            None => Some(format!("container \"{}\" to be started", container.name)),
            Some(status) if status.ready => None,
            Some(status) => Some(self.container(container, status)),
        };
        self.pod.spec.lasting_containers().filter_map(wait).collect()
    }

    fn container(&self, container: &Container, status: &ContainerStatus) -> String {
        let title = format!("container \"{}\"", container.name);
        if status.state.running.is_none() {
            return self.not_running(&title, container, status, &status.state);
        }
        match (&container.startup_probe, &container.readiness_probe) {
            (Some(probe), _) if status.started != Some(true) => {
                self.probe("startup", "Startup", container, probe)
            }
            (_, Some(probe)) => self.probe("readiness", "Readiness", container, probe),
            _ => format!("{title} to be reported ready"),
        }
    }

    /// A container that is not started yet, or has ended.
    fn not_running(
        &self,
        title: &str,
        container: &Container,
        status: &ContainerStatus,
        state: &ContainerState,
    ) -> String {
        if let Some(end) = &state.terminated {
            return format!("{title} to be started again: {}", self.end(end));
        }
        let ContainerStateWaiting { reason, message } = state.waiting.clone().unwrap_or_default();
        match reason.as_str() {
            "CrashLoopBackOff" => {
                let end = status.last_state.terminated.as_ref();
                let when = end
                    .and_then(|end| self.next_start(&message, end))
                    .unwrap_or_default();
                let end = end.map(|end| self.end(end)).unwrap_or(message);
                format!("{title} to be started again{when}: {end}")
            }
            "ErrImagePull" | "ImagePullBackOff" => self.image(title, container, message),
            "ErrImageNeverPull" | "InvalidImageName" => {
                format!(
                    "the image \"{}\" of {title}: {}",
                    container.image,
                    joined([message])
                )
            }
            "" | "ContainerCreating" | "PodInitializing" if message.is_empty() => {
                format!("{title} to be started")
            }
            _ => format!("{title}: {}", joined([reason, message])),
        }
    }

    /// When a crashing container is started again, from `back-off 10s restarting …`.
    fn next_start(&self, message: &str, end: &ContainerStateTerminated) -> Option<String> {
        let text = message.strip_prefix("back-off ")?.split_whitespace().next()?;
        let at = end.finished_at?.plus(duration(text)?);
        Some(format!(
            " in {} (back-off {text})",
            human_duration(at.since(self.now))
        ))
    }

    /// An image that cannot be pulled, in the engine's words.
    fn image(&self, title: &str, container: &Container, message: String) -> String {
        let said = self.last_event(container, |event| event.message.starts_with("Failed to pull"));
        let said = said.map(|event| event.message.trim().to_owned());
        let words = message.split_once(": ").map_or("", |(_, words)| words);
        let said = said.filter(|said| words.is_empty() || !said.contains(words));
        let tried = self.last_event(container, |event| event.reason == "Pulling");
        let tried = tried.map(|event| {
            format!(
                "last tried {} ago, tried again at most 5m later",
                age(self.now, event.last_timestamp)
            )
        });
        let parts = [message, said.unwrap_or_default(), tried.unwrap_or_default()];
        format!("the image \"{}\" of {title}: {}", container.image, joined(parts))
    }

    /// `its last run ended 5s ago with exit code 1 (Error): no such file`.
    fn end(&self, end: &ContainerStateTerminated) -> String {
        let ago = end
            .finished_at
            .map(|at| format!(" {} ago", age(self.now, Some(at))))
            .unwrap_or_default();
        let reason = if end.reason.is_empty() {
            String::new()
        } else {
            format!(" ({})", end.reason)
        };
        let words = end
            .message
            .trim()
            .lines()
            .last()
            .map(|line| format!(": {line}"))
            .unwrap_or_default();
        format!(
            "its last run ended{ago} with exit code {}{reason}{words}",
            end.exit_code
        )
    }

    /// A probe that has not succeeded, with what it was answered last.
    fn probe(&self, name: &str, title: &str, container: &Container, probe: &Probe) -> String {
        let asked = format!(
            "the {name} probe of container \"{}\" ({}) to succeed",
            container.name,
            question(probe)
        );
        let failure = |event: &Event| event.reason == "Unhealthy" && event.message.starts_with(title);
        match self.last_event(container, failure) {
            Some(event) => {
                let times = if event.count > 1 {
                    format!(", {} times so far", event.count)
                } else {
                    String::new()
                };
                format!(
                    "{asked}; {} ago{times}: {}",
                    age(self.now, event.last_timestamp),
                    event.message.trim()
                )
            }
            None => format!("{asked}; it has not failed yet"),
        }
    }

    /// The newest event about the container that passes; events that name no container count for each.
    fn last_event(&self, container: &Container, pass: impl Fn(&Event) -> bool) -> Option<&Event> {
        let about = |event: &Event| {
            let path = &event.involved_object.field_path;
            path.is_empty() || path.ends_with(&format!("{{{}}}", container.name))
        };
        self.events
            .iter()
            .rev()
            .copied()
            .find(|event| about(event) && pass(event))
    }
}

fn status_of<'a>(statuses: &'a [ContainerStatus], container: &Container) -> Option<&'a ContainerStatus> {
    statuses.iter().find(|status| status.name == container.name)
}

fn joined<const N: usize>(parts: [String; N]) -> String {
    let parts: Vec<_> = parts
        .into_iter()
        .map(|part| part.trim().to_owned())
        .filter(|part| !part.is_empty())
        .collect();
    if parts.is_empty() {
        "no reason is known yet".to_owned()
    } else {
        parts.join("; ")
    }
}

/// Reads `10s`, `1m20s` or `5m0s`.
fn duration(text: &str) -> Option<Duration> {
    let seconds = text.strip_suffix('s')?;
    let (minutes, seconds) = seconds.split_once('m').unwrap_or(("0", seconds));
    Some(Duration::from_secs(
        60 * minutes.parse::<u64>().ok()? + seconds.parse::<u64>().ok()?,
    ))
}
