//! What would come of a state: which pods would be made, where they would go, whom they would push aside, and what would
//! stand in the way. Controllers and scheduler work on a copy until they come to rest, with agents that start pods at once.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use skep_api::{
    Condition, ConditionStatus, Kind, Node, Object, ObjectKey, Pod, PodPhase, ReplicaSet, Resource, Time,
};
use skep_state::{Change, DeleteOptions, Entry, Precondition, State, Verb};

use crate::{Fate, Lease, Manager, Moment, Settings};

/// More rounds than any rollout needs that comes to rest.
const ROUNDS_MAX: usize = 2000;

/// New pods that are followed at most.
const PODS_MAX: usize = 20_000;

/// How far the clock may go on while nothing else happens: waits of the scheduler, not of people.
const PATIENCE: Duration = Duration::from_secs(2);

/// What would come of a state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forecast {
    /// New pods, by what makes them and where they would go.
    pub placements: Vec<Placed>,
    /// Pods that would have to make room.
    pub preempted: Vec<Preempted>,
    /// What would stand in the way, in words.
    pub obstacles: Vec<String>,
}

/// New pods of one maker that would go to one node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Placed {
    /// The topmost owner of the pods, or the pod itself.
    pub owner: (Kind, ObjectKey),
    /// The node; empty where they would wait.
    pub node: String,
    /// What they would wait for.
    pub why: String,
    /// How many.
    pub pods: usize,
}

/// A pod that would have to make room.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Preempted {
    /// The pod.
    pub pod: ObjectKey,
    /// Its priority.
    pub priority: i32,
    /// The node it is on.
    pub node: String,
    /// Why, in words.
    pub why: String,
    /// True where a disruption budget had nothing left for it.
    pub violates_budget: bool,
}

/// What would come of `after`, as against `before`.
pub fn forecast(before: &State, after: State, settings: &Settings, now: Time) -> Forecast {
    let mut world = World {
        known: before
            .list::<Pod>(None)
            .map(|pod| pod.metadata.uid.clone())
            .collect(),
        state: after,
        now,
        at: Duration::ZERO,
        stamps: 0,
        preempted: BTreeSet::new(),
    };
    world.run(settings);
    world.report(before)
}

struct World {
    state: State,
    /// Uids of the pods that there are.
    known: BTreeSet<String>,
    now: Time,
    at: Duration,
    stamps: usize,
    preempted: BTreeSet<Preempted>,
}

impl World {
    fn run(&mut self, settings: &Settings) {
        let nodes = self.state.list::<Node>(None);
        let leases: BTreeMap<String, Lease> = nodes
            .map(|node| (node.metadata.name.clone(), Lease { renewed: self.now }))
            .collect();
        let mut manager = Manager::new(&self.state);
        for _ in 0..ROUNDS_MAX {
            manager.follow(&self.state, self.at, |_| {});
            let draft = manager.decide(&Moment {
                state: &self.state,
                wall: self.now,
                at: self.at,
                leases: &|_| leases.clone(),
                settings,
            });
            let reports = self.agents();
            if draft.is_empty() && reports.is_empty() && !manager.is_ready() {
                match manager.next_at(self.at) {
                    Some(next) if next <= PATIENCE => self.at = next.max(self.at),
                    _ => return,
                }
                if self.at > PATIENCE {
                    return;
                }
                self.at += Duration::from_millis(1);
                continue;
            }
            self.note_preemptions(&draft.changes);
            let outcomes = self.apply(draft.changes);
            for (origin, outcome) in draft.origins.into_iter().zip(&outcomes) {
                let fate = outcome.as_ref().map_or_else(Fate::Refused, |_| Fate::Accepted);
                manager.settle(origin, fate, self.at);
            }
            self.apply(reports);
            if self.state.count(Kind::Pod) > self.known.len() + PODS_MAX {
                return;
            }
        }
    }

    fn apply(&mut self, mut changes: Vec<Change>) -> Vec<skep_state::Outcome> {
        for change in &mut changes {
            if let Verb::Create(object) = &mut change.verb
                && object.meta().uid.is_empty()
            {
                self.stamps += 1;
                let (stamp, meta) = (self.stamps, object.meta_mut());
                meta.uid = format!("planned-{stamp}");
                if meta.name.is_empty() {
                    meta.name = format!("{}{stamp}", meta.generate_name);
                }
            }
        }
        let entry = Entry {
            request_id: String::new(),
            sent: None,
            now: self.now,
            changes,
        };
        self.state.apply(&entry)
    }

    /// Pods that the scheduler sends away say by whom.
    fn note_preemptions(&mut self, changes: &[Change]) {
        for change in changes {
            let Verb::UpdateStatus(object) = &change.verb else {
                continue;
            };
            let Some(pod) = Pod::from_object(object).filter(|pod| self.known.contains(&pod.metadata.uid))
            else {
                continue;
            };
            let target = Condition::find(&pod.status.conditions, "DisruptionTarget");
            if let Some(target) = target.filter(|target| target.reason == "PreemptionByScheduler") {
                self.preempted.insert(Preempted {
                    pod: pod.key(),
                    priority: pod.spec.effective_priority(),
                    node: pod.spec.node_name.clone(),
                    why: target.message.clone(),
                    violates_budget: lacks_budget(&self.state, pod),
                });
            }
        }
    }

    /// New pods that are bound are ready at once; pods that are to go are gone at once.
    fn agents(&self) -> Vec<Change> {
        let mut changes = Vec::new();
        for pod in self.state.list::<Pod>(None) {
            if pod.metadata.is_deleting() {
                let options = DeleteOptions {
                    grace_seconds: Some(0),
                    ..DeleteOptions::default()
                };
                changes.push(Change::delete(&pod.clone().into(), options));
            } else if !pod.spec.node_name.is_empty()
                && !pod.is_ready()
                && !self.known.contains(&pod.metadata.uid)
            {
                changes.push(Change {
                    only_if: Precondition::default(),
                    ..Change::update_status(ready(pod))
                });
            }
        }
        changes
    }

    fn report(self, before: &State) -> Forecast {
        let mut groups: BTreeMap<((Kind, ObjectKey), String, String), usize> = BTreeMap::new();
        for pod in self
            .state
            .list::<Pod>(None)
            .filter(|pod| !self.known.contains(&pod.metadata.uid))
        {
            let scheduled = Condition::find(&pod.status.conditions, "PodScheduled");
            let why = scheduled
                .filter(|_| pod.spec.node_name.is_empty())
                .map(|condition| condition.message.clone());
            let group = (
                owner(&self.state, pod),
                pod.spec.node_name.clone(),
                why.unwrap_or_default(),
            );
            *groups.entry(group).or_default() += 1;
        }
        let placements = groups.into_iter().map(|((owner, node, why), pods)| Placed {
            owner,
            node,
            why,
            pods,
        });
        Forecast {
            placements: placements.collect(),
            preempted: self.preempted.into_iter().collect(),
            obstacles: obstacles(before, &self.state),
        }
    }
}

fn lacks_budget(state: &State, pod: &Pod) -> bool {
    state
        .list::<skep_api::PodDisruptionBudget>(Some(&pod.metadata.namespace))
        .any(|budget| budget.selects(&pod.metadata.labels) && budget.status.disruptions_allowed <= 0)
}

fn ready(pod: &Pod) -> Pod {
    let mut pod = pod.clone();
    pod.status.phase = PodPhase::Running;
    // Ready since ever, so that no least time of being ready has to pass.
    let condition = Condition {
        last_transition_time: Some(Time::from_secs(0)),
        ..Condition::new("Ready", ConditionStatus::True, "", "")
    };
    Condition::set(&mut pod.status.conditions, condition);
    pod
}

/// The topmost owner, or the pod itself.
pub(crate) fn owner(state: &State, pod: &Pod) -> (Kind, ObjectKey) {
    let mut found = (Kind::Pod, pod.key());
    let mut meta = &pod.metadata;
    while let Some(owner) = meta.controller().and_then(|owner| state.by_uid(&owner.uid)) {
        found = (owner.kind(), owner.key());
        meta = Object::meta(owner);
    }
    found
}

/// Replica sets that cannot make their pods, and could before.
fn obstacles(before: &State, after: &State) -> Vec<String> {
    let failure = |set: &ReplicaSet| {
        let failure = Condition::find(&set.status.conditions, "ReplicaFailure");
        failure.map(|failure| failure.message.clone())
    };
    let mut told = BTreeSet::new();
    for set in after.list::<ReplicaSet>(None) {
        let Some(why) = failure(set) else { continue };
        let known = before.get::<ReplicaSet>(&set.key()).and_then(failure);
        if known.as_ref() != Some(&why) {
            let meta = &set.metadata;
            let owner = meta.controller().map_or_else(
                || format!("replicaset/{}", meta.name),
                |owner| format!("{}/{}", owner.kind.to_lowercase(), owner.name),
            );
            told.insert(format!("{owner}: not all pods can be created: {why}"));
        }
    }
    told.into_iter().collect()
}
