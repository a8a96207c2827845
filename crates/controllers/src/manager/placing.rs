//! Which pods wait for a node, and the scheduler that finds them one.

use std::{collections::BTreeSet, time::Duration};

use skep_api::{Condition, ConditionStatus, Kind, Node, NodeCondition, Object, ObjectKey, Pod, Time};
use skep_scheduler::{Decision, Explanation, Scheduler};
use skep_state::{Change, Precondition, State, StateEvent, Verb};

use crate::EventNote;

/// The name of the scheduler in pods and events.
const COMPONENT: &str = "default-scheduler";

/// Pods placed at once.
const BATCH_MAX: usize = 512;

/// The least time between two looks at all pods that fit nowhere.
const RETRY_INTERVAL: Duration = Duration::from_millis(250);

/// What is to be written for one pod.
pub(super) struct Placement {
    pub pod: ObjectKey,
    pub uid: String,
    pub change: Option<Change>,
    pub note: Option<EventNote>,
}

/// Which pods wait for a node.
#[derive(Default)]
pub(super) struct Placing {
    scheduler: Scheduler,
    waiting: BTreeSet<ObjectKey>,
    /// Tried without success; tried again once something has changed that may help.
    unschedulable: BTreeSet<ObjectKey>,
    retry_at: Option<Duration>,
    retried_at: Option<Duration>,
}

impl Placing {
    /// All there is in the state.
    pub(super) fn of(state: &State) -> Self {
        let mut placing = Self::default();
        for node in state.list::<Node>(None) {
            placing.scheduler.node(node);
        }
        for pod in state.list::<Pod>(None) {
            placing.scheduler.pod(pod);
        }
        placing.waiting = state
            .unbound_pods()
            .filter(|pod| wants_node(pod))
            .map(|pod| pod.metadata.key())
            .collect();
        placing
    }

    /// Takes note of a change.
    pub(super) fn follow(&mut self, event: &StateEvent, now: Duration) {
        let helps = match event.kind {
            Kind::Node => self.follow_node(event),
            Kind::Pod => self.follow_pod(event),
            _ => false,
        };
        if helps && !self.unschedulable.is_empty() && self.retry_at.is_none() {
            let earliest = self.retried_at.map_or(now, |last| last + RETRY_INTERVAL);
            self.retry_at = Some(earliest.max(now));
        }
    }

    fn follow_node(&mut self, event: &StateEvent) -> bool {
        let node = |object: &Option<std::sync::Arc<Object>>| match object.as_deref() {
            Some(Object::Node(node)) => Some(node.clone()),
            _ => None,
        };
        match (node(&event.before), node(&event.after)) {
            (before, Some(after)) => {
                self.scheduler.node(&after);
                before.is_none_or(|before| differs_for_placing(&before, &after))
            }
            (_, None) => {
                self.scheduler.remove_node(&event.key.name);
                true
            }
        }
    }

    fn follow_pod(&mut self, event: &StateEvent) -> bool {
        let before = event.before.as_deref().and_then(pod_in);
        let after = event.after.as_deref().and_then(pod_in);
        let frees = before.is_some_and(takes_room) && !after.is_some_and(takes_room);
        let Some(pod) = after else {
            if let Some(before) = before {
                self.scheduler.remove_pod(&before.metadata.uid);
            }
            self.forget(&event.key);
            return frees;
        };
        self.scheduler.pod(pod);
        if !wants_node(pod) {
            self.forget(&event.key);
            return frees;
        }
        // What is written about a pod that fits nowhere is no reason to try it again.
        let asks_the_same = before.is_some_and(|before| before.spec == pod.spec);
        if !(asks_the_same && self.unschedulable.contains(&*event.key)) {
            self.unschedulable.remove(&*event.key);
            self.waiting.insert((*event.key).clone());
        }
        frees
    }

    fn forget(&mut self, key: &ObjectKey) {
        self.waiting.remove(key);
        self.unschedulable.remove(key);
    }

    /// When there is something to do without a change; `None` where there is not.
    pub(super) fn next_at(&self, now: Duration) -> Option<Duration> {
        if self.waiting.is_empty() {
            self.retry_at
        } else {
            Some(now)
        }
    }

    /// Decides for the pods that wait.
    pub(super) fn place(&mut self, state: &State, wall: Time, now: Duration) -> Vec<Placement> {
        if self.retry_at.is_some_and(|at| at <= now) {
            self.retry_at = None;
            self.retried_at = Some(now);
            self.waiting.append(&mut self.unschedulable);
        }
        if self.waiting.is_empty() {
            return Vec::new();
        }
        let keys: Vec<ObjectKey> = std::iter::from_fn(|| self.waiting.pop_first())
            .take(BATCH_MAX)
            .collect();
        let pods = keys.iter().filter_map(|key| state.get::<Pod>(key));
        let pods: Vec<&Pod> = pods.filter(|pod| wants_node(pod)).collect();
        let decisions = self.scheduler.schedule(&pods);
        pods.into_iter()
            .zip(decisions)
            .map(|(pod, decision)| self.carry_out(pod, decision, wall))
            .collect()
    }

    fn carry_out(&mut self, pod: &Pod, decision: Decision, wall: Time) -> Placement {
        let (change, note) = match decision.outcome {
            Ok(node) => {
                let message = format!("Successfully assigned {} to {node}", decision.key);
                (
                    Some(bind(pod, node)),
                    Some(EventNote::normal(pod, COMPONENT, "Scheduled", message)),
                )
            }
            Err(why) => {
                self.unschedulable.insert(decision.key.clone());
                match explain(pod, &why, wall) {
                    Some((change, note)) => (Some(change), Some(note)),
                    None => (None, None),
                }
            }
        };
        Placement {
            pod: decision.key,
            uid: decision.uid,
            change,
            note,
        }
    }

    /// A placement was not carried out: the pod waits again, and takes up no room.
    pub(super) fn refused(&mut self, key: ObjectKey, uid: &str) {
        self.scheduler.remove_pod(uid);
        self.unschedulable.remove(&key);
        self.waiting.insert(key);
    }
}

fn pod_in(object: &Object) -> Option<&Pod> {
    match object {
        Object::Pod(pod) => Some(pod),
        _ => None,
    }
}

fn wants_node(pod: &Pod) -> bool {
    pod.spec.node_name.is_empty() && !pod.metadata.is_deleting() && !pod.is_terminal()
}

fn takes_room(pod: &Pod) -> bool {
    !pod.spec.node_name.is_empty() && !pod.is_terminal()
}

/// Whether a change of a node may make room for a pod that did not fit.
fn differs_for_placing(before: &Node, after: &Node) -> bool {
    let statuses = |node: &Node| {
        node.status
            .conditions
            .iter()
            .map(|condition: &NodeCondition| (condition.r#type, condition.status))
            .collect::<Vec<_>>()
    };
    before.metadata.labels != after.metadata.labels
        || before.spec != after.spec
        || before.status.allocatable != after.status.allocatable
        || statuses(before) != statuses(after)
}

fn bind(pod: &Pod, node: String) -> Change {
    Change {
        only_if: Precondition {
            uid: Some(pod.metadata.uid.clone()),
            revision: None,
        },
        verb: Verb::Bind {
            pod: pod.metadata.key(),
            node,
        },
    }
}

/// Says why a pod fits nowhere; `None` where that was said already.
fn explain(pod: &Pod, why: &Explanation, wall: Time) -> Option<(Change, EventNote)> {
    let message = why.to_string();
    let condition = Condition {
        last_transition_time: Some(wall.whole_secs()),
        ..Condition::new("PodScheduled", ConditionStatus::False, "Unschedulable", &message)
    };
    let mut told = pod.clone();
    if !Condition::set(&mut told.status.conditions, condition) {
        return None;
    }
    let note = EventNote::warning(pod, COMPONENT, "FailedScheduling", message);
    // The revision guards against a status that was written by somebody else meanwhile.
    let only_if = Precondition {
        uid: Some(pod.metadata.uid.clone()),
        revision: Some(pod.metadata.revision()),
    };
    Some((
        Change {
            only_if,
            verb: Verb::UpdateStatus(Box::new(told.into())),
        },
        note,
    ))
}
