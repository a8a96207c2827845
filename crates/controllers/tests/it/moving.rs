//! A cluster that is led by the manager, as a server does it, with fake agents.

use std::{collections::BTreeMap, time::Duration};

use skep_api::{
    Event, Namespace, Node, Object, ObjectKey, Pod, PodDisruptionBudget, ReplicaSet, Resource, Time,
};
use skep_controllers::{Fate, Lease, Manager, Moment, Moving, RebalancePlan, Settings, rebalance_plan};
use skep_scheduler::Scheduler;
use skep_state::{Change, Entry, State, Verb};
use skep_testkit::{namespace, start};

use crate::kubelet::Kubelet;

/// How well pods are placed; less is better. What a move must make less.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Measure {
    /// How many pods would not be placed where they are.
    pub(crate) misplaced: usize,
    /// How full the nodes are, the fullest first.
    pub(crate) fullest: Vec<u64>,
}

/// A cluster whose clock goes on in steps of half a second.
pub(crate) struct Led {
    pub(crate) state: State,
    pub(crate) settings: Settings,
    pub(crate) kubelet: Kubelet,
    /// Called after every entry.
    pub(crate) invariant: Box<dyn Fn(&State)>,
    /// When moves began.
    pub(crate) begun: Vec<Duration>,
    manager: Manager,
    at: Duration,
    stamps: usize,
}

const STEP: Duration = Duration::from_millis(500);

impl Led {
    pub(crate) fn new() -> Self {
        let state = State::default();
        let mut led = Self {
            manager: Manager::new(&state),
            state,
            settings: Settings::default(),
            kubelet: Kubelet::default(),
            invariant: Box::new(|_| {}),
            begun: Vec::new(),
            at: Duration::ZERO,
            stamps: 0,
        };
        led.create(namespace("default"));
        led
    }

    pub(crate) fn now(&self) -> Time {
        start().plus(self.at)
    }

    pub(crate) fn create(&mut self, object: impl Into<Object>) {
        let mut object = object.into();
        object.meta_mut().uid.clear();
        self.apply(vec![Change::create(object)]);
    }

    pub(crate) fn edit<K: Resource>(&mut self, key: &ObjectKey, edit: impl FnOnce(&mut K)) {
        let mut object = self.state.get::<K>(key).unwrap().clone();
        edit(&mut object);
        self.apply(vec![Change::update(object.into_object())]);
    }

    /// Asks for rebalancing in `default`, or forbids it.
    pub(crate) fn ask(&mut self, says: &str) {
        self.edit::<Namespace>(&ObjectKey::cluster("default"), |namespace| {
            let annotations = &mut namespace.metadata.annotations;
            annotations.insert("skep.io/rebalance".to_owned(), says.to_owned());
        });
    }

    pub(crate) fn label(&mut self, node: &str, key: &str, value: &str) {
        self.edit::<Node>(&ObjectKey::cluster(node), |node| {
            node.metadata.labels.insert(key.to_owned(), value.to_owned());
        });
    }

    /// A new leader takes over.
    pub(crate) fn new_leader(&mut self) {
        self.manager = Manager::new(&self.state);
    }

    pub(crate) fn advance(&mut self, secs: u64) {
        let end = self.at + Duration::from_secs(secs);
        while self.at < end {
            self.at += STEP;
            self.settle();
        }
    }

    /// Lets leader and agents do what is to be done now.
    fn settle(&mut self) {
        for _ in 0..1000 {
            let before = moving(&self.state).len();
            let leases: BTreeMap<String, Lease> = self
                .state
                .list::<Node>(None)
                .map(|node| (node.metadata.name.clone(), Lease { renewed: self.now() }))
                .collect();
            let at = self.at;
            self.manager.follow(&self.state, at, |_| {});
            let (wall, state) = (self.now(), self.state.clone());
            let draft = self.manager.decide(&Moment {
                state: &state,
                wall,
                at,
                leases: &|_| leases.clone(),
                settings: &self.settings,
            });
            let (reports, _) = self.kubelet.work(&self.state, wall);
            if draft.is_empty() && reports.is_empty() && !self.manager.is_ready() {
                return;
            }
            let outcomes = self.apply(draft.changes);
            for (origin, outcome) in draft.origins.into_iter().zip(&outcomes) {
                let fate = outcome.as_ref().map_or_else(Fate::Refused, |_| Fate::Accepted);
                self.manager.settle(origin, fate, at);
            }
            let begun = moving(&self.state).len().saturating_sub(before);
            self.begun.extend(std::iter::repeat_n(at, begun));
            self.apply(reports);
        }
        panic!("the cluster does not come to rest");
    }

    fn apply(&mut self, mut changes: Vec<Change>) -> Vec<skep_state::Outcome> {
        let now = self.now();
        for change in &mut changes {
            if let Verb::Create(object) = &mut change.verb
                && object.meta().uid.is_empty()
            {
                self.stamps += 1;
                object.meta_mut().uid = format!("uid-{}", self.stamps);
                object.meta_mut().creation_timestamp = Some(now.whole_secs());
            }
        }
        let entry = Entry {
            request_id: String::new(),
            sent: None,
            now,
            changes,
        };
        let outcomes = self.state.apply(&entry);
        (self.invariant)(&self.state);
        outcomes
    }

    /// A scheduler of its own, which knows what the state says.
    pub(crate) fn scheduler(&self) -> Scheduler {
        let mut scheduler = Scheduler::new();
        self.state
            .list::<Node>(None)
            .for_each(|node| scheduler.node(node));
        self.state.list::<Pod>(None).for_each(|pod| scheduler.pod(pod));
        scheduler
    }

    pub(crate) fn measure(&self) -> Measure {
        let mut scheduler = self.scheduler();
        let nodes = scheduler.fullness().into_iter();
        let mut fullest: Vec<u64> = nodes.map(|node| node.fullness.most()).collect();
        fullest.sort_unstable_by(|a, b| b.cmp(a));
        Measure {
            misplaced: scheduler.misplaced().len(),
            fullest,
        }
    }

    /// True where no pod is being moved, starts or ends.
    pub(crate) fn is_at_rest(&self) -> bool {
        let mut pods = self.state.list::<Pod>(None);
        moving(&self.state).is_empty() && pods.all(|pod| pod.is_ready() && !pod.metadata.is_deleting())
    }

    pub(crate) fn plan(&self) -> RebalancePlan {
        rebalance_plan(&self.state, &self.settings, self.now())
    }

    /// Pods by node, of the ready ones.
    pub(crate) fn placed(&self) -> BTreeMap<String, usize> {
        let mut placed = BTreeMap::new();
        for pod in self.state.list::<Pod>(None).filter(|pod| pod.is_ready()) {
            *placed.entry(pod.spec.node_name.clone()).or_default() += 1;
        }
        placed
    }

    /// `Kind reason: message` of the events with one of these reasons, without the hashes in names of pods.
    pub(crate) fn told(&self, reasons: &[&str]) -> Vec<String> {
        let events = self.state.list::<Event>(None);
        let mut told: Vec<String> = events
            .filter(|event| reasons.contains(&event.reason.as_str()))
            .map(|event| {
                format!(
                    "{} {}: {}",
                    event.involved_object.kind, event.reason, event.message
                )
            })
            .collect();
        told.sort();
        told
    }
}

/// Pods with a mark, by name.
pub(crate) fn moving(state: &State) -> Vec<&Pod> {
    let pods = state.list::<Pod>(None);
    pods.filter(|pod| Moving::of(pod).is_some()).collect()
}

/// Every replica set has as many available pods as it is to have, and every budget what it needs.
pub(crate) fn nobody_suffers(state: &State) {
    for set in state.list::<ReplicaSet>(None) {
        let pods = state
            .owned_by(&set.metadata.uid)
            .filter_map(|object| Pod::from_object(object));
        let serving = pods
            .filter(|pod| pod.is_ready() && !pod.metadata.is_deleting())
            .count();
        let wanted = usize::try_from(set.spec.replicas).unwrap();
        assert!(
            serving >= wanted,
            "{}: {serving} of {wanted} serve",
            set.metadata.name
        );
    }
    for budget in state.list::<PodDisruptionBudget>(None) {
        let status = &budget.status;
        assert!(
            status.current_healthy >= status.desired_healthy,
            "{}: {status:?}",
            budget.metadata.name
        );
    }
}
