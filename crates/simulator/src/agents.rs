//! Agents that only pretend: they report pods as started and stopped after a while, as long as their node lives.

use std::{collections::BTreeMap, time::Duration};

use skep_api::{
    Condition, ConditionStatus, ContainerState, ContainerStateRunning, ContainerStateTerminated,
    ContainerStatus, Node, NodeCondition, NodeConditionType, Pod, PodPhase, Resource, Time, duration,
};
use skep_controllers::Lease;
use skep_state::{Change, DeleteOptions};

use crate::{NodeGroup, Timing};

/// A pod's own time to start, such as `20s`.
const START: &str = "sim.skep.io/start";

/// How long a pod runs before it has succeeded; for ever where it does not say.
const RUNS_FOR: &str = "sim.skep.io/runs-for";

/// What happens to a pod on its node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fact {
    /// Its containers are ready.
    Started,
    /// Its containers have done their work.
    Succeeded,
    /// Its containers are gone, as was wanted.
    Stopped,
}

/// The nodes that are heard of, and when they last were.
#[derive(Default)]
pub(crate) struct Agents {
    leases: BTreeMap<String, Lease>,
    /// Those that are alive.
    alive: BTreeMap<String, ()>,
}

impl Agents {
    /// The leases of those among `names` that are nodes.
    pub(crate) fn leases(&self, names: &[&str]) -> BTreeMap<String, Lease> {
        let found = names.iter().filter_map(|name| self.leases.get_key_value(*name));
        found.map(|(node, lease)| (node.clone(), *lease)).collect()
    }

    pub(crate) fn is_alive(&self, node: &str) -> bool {
        self.alive.contains_key(node)
    }

    pub(crate) fn begin(&mut self, node: &str, now: Time) {
        self.alive.insert(node.to_owned(), ());
        self.leases.insert(node.to_owned(), Lease { renewed: now });
    }

    pub(crate) fn silence(&mut self, node: &str) {
        self.alive.remove(node);
    }

    pub(crate) fn remove(&mut self, node: &str) {
        self.alive.remove(node);
        self.leases.remove(node);
    }

    /// All that live are heard of.
    pub(crate) fn heartbeat(&mut self, now: Time) {
        for (node, lease) in &mut self.leases {
            if self.alive.contains_key(node) {
                lease.renewed = now;
            }
        }
    }
}

/// What its agent has to do about a pod that is bound, and in how long; `None` where there is nothing to do.
pub(crate) fn next(pod: &Pod, timing: &Timing) -> Option<(Fact, Duration)> {
    if pod.metadata.is_deleting() {
        let grace = pod.metadata.deletion_grace_period_seconds.unwrap_or(0);
        let grace = Duration::from_secs(u64::try_from(grace).unwrap_or(0));
        let wait = if pod.is_terminal() {
            Duration::ZERO
        } else {
            timing.stop.0.min(grace)
        };
        return Some((Fact::Stopped, wait));
    }
    match pod.status.phase {
        PodPhase::Pending => Some((Fact::Started, said(pod, START).unwrap_or(timing.start.0))),
        PodPhase::Running => said(pod, RUNS_FOR).map(|wait| (Fact::Succeeded, wait)),
        _ => None,
    }
}

fn said(pod: &Pod, annotation: &str) -> Option<Duration> {
    let text = pod.metadata.annotations.get(annotation)?;
    duration::parse(text).ok()
}

/// The change with which an agent reports a fact; `None` where it is out of date.
pub(crate) fn report(pod: &Pod, fact: &Fact, now: Time) -> Option<Change> {
    match fact {
        Fact::Stopped if pod.metadata.is_deleting() => {
            let options = DeleteOptions {
                grace_seconds: Some(0),
                ..DeleteOptions::default()
            };
            Some(Change::delete(&pod.clone().into(), options))
        }
        Fact::Started if pod.status.phase == PodPhase::Pending => {
            let running = ContainerState {
                running: Some(ContainerStateRunning {
                    started_at: Some(now.whole_secs()),
                }),
                ..ContainerState::default()
            };
            Some(status(pod, PodPhase::Running, &running, now))
        }
        Fact::Succeeded if pod.status.phase == PodPhase::Running => {
            let terminated = ContainerState {
                terminated: Some(Box::new(ContainerStateTerminated {
                    reason: "Completed".to_owned(),
                    finished_at: Some(now.whole_secs()),
                    ..ContainerStateTerminated::default()
                })),
                ..ContainerState::default()
            };
            Some(status(pod, PodPhase::Succeeded, &terminated, now))
        }
        _ => None,
    }
}

fn status(pod: &Pod, phase: PodPhase, state: &ContainerState, now: Time) -> Change {
    let mut pod = pod.clone();
    let ready = phase == PodPhase::Running;
    pod.status.phase = phase;
    pod.status.start_time.get_or_insert(now.whole_secs());
    pod.status.container_statuses = pod
        .spec
        .containers
        .iter()
        .map(|container| ContainerStatus {
            name: container.name.clone(),
            image: container.image.clone(),
            state: state.clone(),
            ready,
            ..ContainerStatus::default()
        })
        .collect();
    for (r#type, holds) in [
        ("Initialized", true),
        ("ContainersReady", ready),
        ("Ready", ready),
    ] {
        let status = if holds {
            ConditionStatus::True
        } else {
            ConditionStatus::False
        };
        let condition = Condition {
            last_transition_time: Some(now.whole_secs()),
            ..Condition::new(r#type, status, "", "")
        };
        Condition::set(&mut pod.status.conditions, condition);
    }
    Change::update_status(pod)
}

/// The nodes of a group, as their agents register them.
pub(crate) fn nodes(group: &NodeGroup, now: Time) -> Vec<Node> {
    let count = group.count.unwrap_or(1);
    (0..count)
        .map(|index| {
            let name = match group.count {
                None => group.name.clone(),
                Some(_) => format!("{}-{}", group.name, index + 1),
            };
            node(group, name, index as usize, now)
        })
        .collect()
}

fn node(group: &NodeGroup, name: String, index: usize, now: Time) -> Node {
    let mut node = Node::default();
    node.metadata.labels.clone_from(&group.labels);
    let labels = &mut node.metadata.labels;
    labels.insert("kubernetes.io/hostname".to_owned(), name.clone());
    if !group.pool.is_empty() {
        labels.insert("skep.io/pool".to_owned(), group.pool.clone());
    }
    if let Some(zone) = group.zones.get(index.checked_rem(group.zones.len()).unwrap_or(0)) {
        labels.insert("topology.kubernetes.io/zone".to_owned(), zone.clone());
    }
    node.metadata.name = name;
    node.spec.taints.clone_from(&group.taints);
    node.status.capacity.extend(group.resources.clone());
    let pods = "110".parse().expect("a number is a quantity");
    node.status.capacity.entry("pods".to_owned()).or_insert(pods);
    node.status.allocatable.clone_from(&node.status.capacity);
    set_ready(&mut node, now);
    node
}

/// The change with which an agent says that its node is well; `None` where that is known.
pub(crate) fn healthy(node: &Node, now: Time) -> Option<Change> {
    let mut told = node.clone();
    set_ready(&mut told, now);
    (told.status != node.status).then(|| Change::update_status(told))
}

fn set_ready(node: &mut Node, now: Time) {
    use NodeConditionType::{DiskPressure, MemoryPressure, PIDPressure, Ready};
    for r#type in [MemoryPressure, DiskPressure, PIDPressure, Ready] {
        let status = if r#type == Ready {
            ConditionStatus::True
        } else {
            ConditionStatus::False
        };
        let condition = NodeCondition {
            r#type,
            status,
            last_heartbeat_time: Some(now.whole_secs()),
            last_transition_time: Some(now.whole_secs()),
            ..NodeCondition::default()
        };
        let known = NodeCondition::find(&node.status.conditions, r#type);
        if known.is_none_or(|known| known.status != status) {
            NodeCondition::set(&mut node.status.conditions, condition);
        }
    }
}

/// The name of the object's node, where it is bound to one.
pub(crate) fn node_of(pod: &Pod) -> Option<&str> {
    Some(pod.spec.node_name.as_str()).filter(|node| !node.is_empty())
}

/// The name of an object.
pub(crate) fn name_of(object: &impl Resource) -> &str {
    &object.meta().name
}
