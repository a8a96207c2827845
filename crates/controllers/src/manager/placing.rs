//! Which pods wait for a node, and the scheduler that finds them one.

use std::time::Duration;

use skep_api::{Condition, ConditionStatus, Kind, Node, NodeCondition, Object, ObjectKey, Pod, Time};
use skep_scheduler::{Decision, Explanation, Outcome, Scheduler, Scoring, Victim};
use skep_state::{Change, DeleteOptions, Precondition, State, StateEvent, Verb};

use super::{policies::Policies, told, waiting::Waiting};
use crate::EventNote;

/// The name of the scheduler in pods and events.
pub(super) const COMPONENT: &str = "default-scheduler";

/// Pods placed at once.
const BATCH_MAX: usize = 1024;

/// The least time between two looks at all pods that fit nowhere.
const RETRY_INTERVAL: Duration = Duration::from_millis(250);

/// What is to be written for one pod.
pub(super) struct Placement {
    pub pod: ObjectKey,
    pub uid: String,
    /// What is told about other pods that have to go; nobody waits for it.
    pub marks: Vec<Change>,
    pub changes: Vec<Change>,
    pub notes: Vec<EventNote>,
}

/// What is to be written for a batch of pods.
#[derive(Default)]
pub(super) struct Placed {
    pub placements: Vec<Placement>,
    /// About several of them.
    pub notes: Vec<EventNote>,
}

/// Which pods wait for a node.
#[derive(Default)]
pub(super) struct Placing {
    scheduler: Scheduler,
    policies: Policies,
    waiting: Waiting,
    /// Tried without success; tried again once something has changed that may help.
    unschedulable: Waiting,
    retry_at: Option<Duration>,
    retried_at: Option<Duration>,
}

impl Placing {
    /// All there is in the state.
    pub(super) fn of(state: &State) -> Self {
        let mut placing = Self::default();
        placing.policies = Policies::of(state, &mut placing.scheduler);
        for node in state.list::<Node>(None) {
            placing.scheduler.node(node);
        }
        for pod in state.list::<Pod>(None) {
            placing.scheduler.pod(pod);
        }
        for pod in state.unbound_pods().filter(|pod| wants_node(pod)) {
            placing
                .waiting
                .insert(pod.metadata.key(), pod.spec.effective_priority());
        }
        placing
    }

    /// Fills nodes like this that are in no pool, or in one that does not say.
    pub(super) fn fill(&mut self, scoring: Scoring) {
        self.policies.fill(scoring, &mut self.scheduler);
    }

    /// How many pods are to be placed.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The scheduler, which knows all that was followed.
    pub(super) fn scheduler(&self) -> &Scheduler {
        &self.scheduler
    }

    /// The scheduler alone.
    pub(super) fn into_scheduler(self) -> Scheduler {
        self.scheduler
    }

    /// Takes note of a change.
    pub(super) fn follow(&mut self, event: &StateEvent, now: Duration) {
        let helps = match event.kind {
            Kind::Node => self.follow_node(event),
            Kind::Pod => self.follow_pod(event),
            _ => {
                self.policies.follow(event, &mut self.scheduler);
                false
            }
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
        match before {
            Some(before) => self.scheduler.pod_changed(before, pod),
            None => self.scheduler.pod(pod),
        }
        if !wants_node(pod) {
            self.forget(&event.key);
            // Others may wait for its company.
            let joins = takes_room(pod) && !before.is_some_and(takes_room);
            return frees || joins && self.scheduler.placing_may_help();
        }
        // What is written about a pod that fits nowhere is no reason to try it again.
        let asks_the_same = before.is_some_and(|before| before.spec == pod.spec);
        if !(asks_the_same && self.unschedulable.contains(&event.key)) {
            self.unschedulable.remove(&event.key);
            self.waiting
                .insert((*event.key).clone(), pod.spec.effective_priority());
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
    pub(super) fn place(&mut self, state: &State, wall: Time, now: Duration) -> Placed {
        if self.retry_at.is_some_and(|at| at <= now) {
            self.retry_at = None;
            self.retried_at = Some(now);
            self.waiting.append(&mut self.unschedulable);
        }
        if self.waiting.is_empty() {
            return Placed::default();
        }
        let keys: Vec<ObjectKey> = std::iter::from_fn(|| self.waiting.pop_first())
            .take(BATCH_MAX)
            .collect();
        let pods = keys.iter().filter_map(|key| state.get::<Pod>(key));
        let pods: Vec<&Pod> = pods.filter(|pod| wants_node(pod)).collect();
        let decisions = self.scheduler.schedule(&pods);
        let bound = pods
            .iter()
            .zip(&decisions)
            .filter_map(|(pod, decision)| match &decision.outcome {
                Outcome::Bind { node } => Some((*pod, node.as_str())),
                _ => None,
            });
        let notes = told::bindings(&bound.collect::<Vec<_>>());
        let placements = pods.into_iter().zip(decisions);
        let placements = placements.map(|(pod, decision)| self.carry_out(state, pod, decision, wall));
        Placed {
            placements: placements.collect(),
            notes,
        }
    }

    fn carry_out(&mut self, state: &State, pod: &Pod, decision: Decision, wall: Time) -> Placement {
        let mut marks = Vec::new();
        let (changes, notes) = match decision.outcome {
            // Told of with those of the others.
            Outcome::Bind { node } => (vec![bind(pod, node)], Vec::new()),
            Outcome::Preempt { node, victims, why } => {
                let priority = pod.spec.effective_priority();
                self.unschedulable.insert(decision.key.clone(), priority);
                let (mut changes, mut notes) = explain(pod, &why, &node, wall);
                for victim in &victims {
                    let Some((mark, eviction, note)) = evict(state, pod, victim, wall) else {
                        continue;
                    };
                    marks.push(mark);
                    changes.push(eviction);
                    notes.push(note);
                }
                (changes, notes)
            }
            Outcome::Wait(why) => {
                let priority = pod.spec.effective_priority();
                self.unschedulable.insert(decision.key.clone(), priority);
                explain(pod, &why, "", wall)
            }
        };
        Placement {
            pod: decision.key,
            uid: decision.uid,
            marks,
            changes,
            notes,
        }
    }

    /// A placement was not carried out: the pod takes up no room, and is tried again before all others.
    pub(super) fn refused(&mut self, key: ObjectKey, uid: &str) {
        self.scheduler.remove_pod(uid);
        self.unschedulable.remove(&key);
        self.waiting.insert(key, i32::MAX);
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

/// Sends a pod away that is in the way of a more important one.
fn evict(state: &State, pod: &Pod, victim: &Victim, wall: Time) -> Option<(Change, Change, EventNote)> {
    let object = state.get::<Pod>(&victim.key)?;
    let message = format!(
        "Preempted by pod {} (priority {}) on node {}",
        pod.metadata.key(),
        pod.spec.effective_priority(),
        object.spec.node_name
    );
    let mut told = object.clone();
    let condition = Condition {
        last_transition_time: Some(wall.whole_secs()),
        ..Condition::new(
            "DisruptionTarget",
            ConditionStatus::True,
            "PreemptionByScheduler",
            format!(
                "{COMPONENT}: makes room for pod {} of priority {}",
                pod.metadata.key(),
                pod.spec.effective_priority()
            ),
        )
    };
    Condition::set(&mut told.status.conditions, condition);
    let only_if = Precondition {
        uid: Some(victim.uid.clone()),
        revision: None,
    };
    let mark = Change {
        // Where its agent has just reported, the condition is left out: the report counts for more.
        only_if: Precondition {
            revision: Some(object.metadata.revision()),
            ..only_if.clone()
        },
        verb: Verb::UpdateStatus(Box::new(told.into())),
    };
    let verb = Verb::Delete {
        kind: Kind::Pod,
        key: victim.key.clone(),
        options: DeleteOptions::default(),
    };
    let note = EventNote::normal(object, COMPONENT, "Preempted", message);
    Some((mark, Change { only_if, verb }, note))
}

/// Says why a pod fits nowhere, and on which node room is made for it; nothing where that was said already.
fn explain(pod: &Pod, why: &Explanation, nominated: &str, wall: Time) -> (Vec<Change>, Vec<EventNote>) {
    let mut message = why.to_string();
    if !nominated.is_empty() {
        message += &format!("; room is being made for it on {nominated}");
    }
    let reason = if why.is_gated() {
        "SchedulingGated"
    } else {
        "Unschedulable"
    };
    let condition = Condition {
        last_transition_time: Some(wall.whole_secs()),
        ..Condition::new("PodScheduled", ConditionStatus::False, reason, &message)
    };
    let mut told = pod.clone();
    let news = Condition::set(&mut told.status.conditions, condition);
    if !news && told.status.nominated_node_name == nominated {
        return (Vec::new(), Vec::new());
    }
    nominated.clone_into(&mut told.status.nominated_node_name);
    let note = EventNote::warning(pod, COMPONENT, "FailedScheduling", message);
    // The revision guards against a status that was written by somebody else meanwhile.
    let only_if = Precondition {
        uid: Some(pod.metadata.uid.clone()),
        revision: Some(pod.metadata.revision()),
    };
    let change = Change {
        only_if,
        verb: Verb::UpdateStatus(Box::new(told.into())),
    };
    (vec![change], vec![note])
}
