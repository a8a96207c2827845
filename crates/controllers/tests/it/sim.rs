//! A cluster in one thread: state, controllers, scheduler and fake agents under simulated time.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    time::Duration,
};

use skep_api::{Deployment, Kind, Node, Object, ObjectKey, Pod, ReplicaSet, Resource, Time};
use skep_controllers::{Context, Controller, EventNote, Lease, Settings, Shared, events};
use skep_scheduler::Scheduler;
use skep_state::{Change, DeleteOptions, Entry, Outcome, Precondition, Propagation, State, Verb};
use skep_testkit::{namespace, node, start};

use crate::kubelet::Kubelet;

/// More rounds than any story needs: beyond them the controllers do not come to rest.
const ROUNDS_MAX: usize = 1000;

/// Where controllers fall behind, time goes on after this many rounds.
const LAGGING_ROUNDS: usize = 3;

/// A controller by its place, and a key of its own.
type Wish = (usize, ObjectKey);

/// What must hold after every entry; panics where it does not.
type Invariant = Box<dyn Fn(&State)>;

pub(crate) struct Sim {
    pub(crate) state: State,
    pub(crate) now: Time,
    pub(crate) settings: Settings,
    pub(crate) kubelet: Kubelet,
    /// Called after every entry that is applied.
    pub(crate) invariant: Option<Invariant>,
    pub(crate) notes: Vec<EventNote>,
    /// Where not 0, the seed by which every other key has to wait for a later round and time goes on meanwhile, as
    /// where controllers fall behind.
    pub(crate) lag: u64,
    controllers: Vec<Box<dyn Controller>>,
    scheduler: Scheduler,
    leases: BTreeMap<String, Lease>,
    queue: BTreeSet<Wish>,
    timers: BTreeMap<Wish, Time>,
    seen: u64,
    uids: u32,
    log: String,
    last_line: String,
}

impl Sim {
    /// The namespace `default` and no node.
    pub(crate) fn empty() -> Self {
        let mut sim = Self {
            state: State::default(),
            now: start(),
            settings: Settings::default(),
            kubelet: Kubelet::default(),
            invariant: None,
            notes: Vec::new(),
            lag: 0,
            controllers: skep_controllers::all(),
            scheduler: Scheduler::new(),
            leases: BTreeMap::new(),
            queue: BTreeSet::new(),
            timers: BTreeMap::new(),
            seen: 0,
            uids: 0,
            log: String::new(),
            last_line: String::new(),
        };
        sim.create(namespace("default"));
        let all: Vec<_> = sim
            .controllers
            .iter()
            .map(|controller| controller.all(&sim.state))
            .collect();
        for (index, keys) in all.into_iter().enumerate() {
            sim.queue.extend(keys.into_iter().map(|key| (index, key)));
        }
        sim.settle();
        sim
    }

    /// Three nodes with room for many pods.
    pub(crate) fn new() -> Self {
        let mut sim = Self::empty();
        for name in ["a", "b", "c"] {
            sim.create(node(name).cpu("64").memory("256Gi").pods(1000));
        }
        sim.settle();
        sim
    }

    pub(crate) fn create(&mut self, object: impl Into<Object>) {
        let mut object = object.into();
        object.meta_mut().uid.clear();
        object.meta_mut().creation_timestamp = None;
        self.must(vec![Change::create(object)]);
    }

    /// Changes the desired state of an object, as a client does.
    pub(crate) fn edit<K: Resource>(&mut self, key: &str, edit: impl FnOnce(&mut K)) {
        let mut object = self.get::<K>(key);
        edit(&mut object);
        self.must(vec![Change::update(object.into_object())]);
    }

    pub(crate) fn status<K: Resource>(&mut self, key: &str, edit: impl FnOnce(&mut K)) {
        let mut object = self.get::<K>(key);
        edit(&mut object);
        self.must(vec![Change::update_status(object.into_object())]);
    }

    pub(crate) fn delete<K: Resource>(&mut self, key: &str, propagation: Propagation) {
        let object = self.get::<K>(key).into_object();
        let options = DeleteOptions {
            propagation,
            ..DeleteOptions::default()
        };
        self.must(vec![Change::delete(&object, options)]);
    }

    /// What comes of a change that is proposed as it is.
    pub(crate) fn propose(&mut self, change: Change) -> Outcome {
        self.apply(vec![change]).remove(0)
    }

    pub(crate) fn get<K: Resource>(&self, name: &str) -> K {
        self.find(name)
            .unwrap_or_else(|| panic!("there is no {} {name}", K::KIND))
    }

    pub(crate) fn find<K: Resource>(&self, name: &str) -> Option<K> {
        let key = if K::KIND.namespaced() {
            ObjectKey::new("default", name)
        } else {
            ObjectKey::cluster(name)
        };
        self.state.get::<K>(&key).cloned()
    }

    pub(crate) fn pods(&self) -> Vec<&Pod> {
        self.state.list::<Pod>(None).collect()
    }

    /// Lets time pass, stopping wherever something is due.
    pub(crate) fn advance(&mut self, secs: u64) {
        let end = self.now.plus(Duration::from_secs(secs));
        self.settle();
        while let Some(next) = self.next_due().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.settle();
        }
        self.now = end;
        self.settle();
    }

    /// Lets controllers, scheduler and agents work until nothing is left to do now; then nothing may be left indeed.
    pub(crate) fn settle(&mut self) {
        for round in 0..ROUNDS_MAX {
            if self.lag != 0 && round == LAGGING_ROUNDS {
                return;
            }
            self.absorb();
            self.renew_leases();
            let (reports, _) = self.kubelet.work(&self.state, self.now);
            let mut changes = self.reconcile();
            let idle = changes.is_empty() && reports.is_empty() && self.queue.is_empty();
            changes.extend(reports);
            if idle {
                let binds = self.schedule();
                if binds.is_empty() && self.queue.is_empty() {
                    self.nothing_is_left();
                    return;
                }
                changes = binds;
            }
            self.apply(changes);
            self.tell();
        }
        panic!("the controllers do not come to rest; so far:\n{}", self.log);
    }

    /// What happened to the deployments so far, a line for each change.
    pub(crate) fn transcript(&mut self) -> String {
        std::mem::take(&mut self.log)
    }

    pub(crate) fn note(&mut self, text: &str) {
        writeln!(self.log, "{text}").unwrap();
    }

    fn must(&mut self, changes: Vec<Change>) {
        for outcome in self.apply(changes) {
            outcome.unwrap();
        }
    }

    fn apply(&mut self, mut changes: Vec<Change>) -> Vec<Outcome> {
        for change in &mut changes {
            if let Verb::Create(object) = &mut change.verb
                && object.meta().uid.is_empty()
            {
                self.uids += 1;
                object.meta_mut().uid = format!("uid-{}", self.uids);
            }
        }
        let entry = Entry {
            request_id: String::new(),
            sent: None,
            now: self.now,
            changes,
        };
        let outcomes = self.state.apply(&entry);
        if let Some(invariant) = &self.invariant {
            invariant(&self.state);
        }
        outcomes
    }

    /// Takes note of what changed: the scheduler's tables, and who is to look.
    fn absorb(&mut self) {
        let events: Vec<_> = self.state.changes_since(self.seen).unwrap().cloned().collect();
        for event in events {
            self.seen = event.revision;
            match (event.kind, event.before.as_deref(), event.after.as_deref()) {
                (Kind::Node, _, Some(Object::Node(node))) => self.scheduler.node(node),
                (Kind::Node, _, None) => self.scheduler.remove_node(&event.key.name),
                (Kind::Pod, _, Some(Object::Pod(pod))) => self.scheduler.pod(pod),
                (Kind::Pod, Some(before), None) => self.scheduler.remove_pod(&before.meta().uid),
                _ => {}
            }
            for (index, controller) in self.controllers.iter().enumerate() {
                let keys = controller.wakes(&self.state, &event);
                self.queue.extend(keys.into_iter().map(|key| (index, key)));
            }
        }
    }

    fn renew_leases(&mut self) {
        for node in self.state.list::<Node>(None) {
            if !self.kubelet.dead.contains(&node.metadata.name) {
                self.leases
                    .insert(node.metadata.name.clone(), Lease { renewed: self.now });
            }
        }
    }

    fn reconcile(&mut self) -> Vec<Change> {
        let now = self.now;
        let due: Vec<Wish> = self
            .timers
            .iter()
            .filter(|(_, at)| **at <= now)
            .map(|(wish, _)| wish.clone())
            .collect();
        self.queue.extend(due);
        let mut changes = Vec::new();
        let mut notes = Vec::new();
        for (index, key) in std::mem::take(&mut self.queue) {
            if self.has_to_wait() {
                self.queue.insert((index, key));
                continue;
            }
            let ctx = Context {
                state: &self.state,
                now,
                leases: &self.leases,
                settings: &self.settings,
                shared: &Shared::default(),
            };
            let result = self.controllers[index].reconcile(&ctx, &key);
            changes.extend(result.changes);
            notes.extend(result.events);
            match result.again_in {
                Some(Duration::ZERO) => drop(self.queue.insert((index, key))),
                Some(wait) => drop(self.timers.insert((index, key), now.plus(wait))),
                None => drop(self.timers.remove(&(index, key))),
            }
        }
        changes.extend(events::record(&self.state, &notes, "", now));
        self.notes.extend(notes);
        changes
    }

    fn has_to_wait(&mut self) -> bool {
        self.lag ^= self.lag << 13;
        self.lag ^= self.lag >> 7;
        self.lag ^= self.lag << 17;
        self.lag & 1 == 1
    }

    fn schedule(&mut self) -> Vec<Change> {
        let pending: Vec<&Pod> = self
            .state
            .unbound_pods()
            .filter(|pod| !pod.metadata.is_deleting() && !pod.is_terminal())
            .collect();
        let decisions = self.scheduler.schedule(&pending);
        let bind = |decision: skep_scheduler::Decision| {
            let verb = Verb::Bind {
                pod: decision.key,
                node: decision.outcome.bound_to()?.to_owned(),
            };
            Some(Change {
                only_if: Precondition {
                    uid: Some(decision.uid),
                    revision: None,
                },
                verb,
            })
        };
        decisions.into_iter().filter_map(bind).collect()
    }

    fn next_due(&self) -> Option<Time> {
        let (_, report) = self.kubelet.work(&self.state, self.now);
        let due = self.timers.values().copied().chain(report);
        due.filter(|at| self.lag == 0 || *at > self.now).min()
    }

    /// Every controller, asked again about everything, has nothing to add. Sweeps, which have the empty key, come by the clock.
    fn nothing_is_left(&self) {
        let ctx = Context {
            state: &self.state,
            now: self.now,
            leases: &self.leases,
            settings: &self.settings,
            shared: &Shared::default(),
        };
        for controller in &self.controllers {
            for key in controller
                .all(&self.state)
                .into_iter()
                .filter(|key| !key.name.is_empty())
            {
                let again = controller.reconcile(&ctx, &key);
                let name = controller.name();
                assert_eq!(again.changes, [], "{name} proposes the same again for {key}");
                assert_eq!(again.events, [], "{name} tells the same again for {key}");
            }
        }
    }

    fn tell(&mut self) {
        let mut line = String::new();
        for deployment in self.state.list::<Deployment>(None) {
            let mut sets: Vec<&ReplicaSet> = self
                .state
                .owned_by(&deployment.metadata.uid)
                .filter_map(|object| ReplicaSet::from_object(object))
                .collect();
            sets.sort_by_key(|set| revision(set));
            for set in sets {
                let pods = self.state.owned_by(&set.metadata.uid);
                let pods: Vec<&Pod> = pods.filter_map(|object| Pod::from_object(object)).collect();
                let active = pods.iter().filter(|pod| !pod.metadata.is_deleting());
                let (all, ready) = (
                    active.clone().count(),
                    active.filter(|pod| pod.is_ready()).count(),
                );
                let ending = pods.len() - all;
                write!(line, " | rev {}: {ready} of {all} ready", revision(set)).unwrap();
                if ending > 0 {
                    write!(line, ", {ending} ending").unwrap();
                }
            }
        }
        if line != self.last_line {
            let time = format!("{}s", self.now.since(start()).as_secs());
            writeln!(self.log, "{time:<4}{line}").unwrap();
            self.last_line = line;
        }
    }
}

pub(crate) fn revision(set: &ReplicaSet) -> u32 {
    let revision = set.metadata.annotations.get("deployment.kubernetes.io/revision");
    revision.and_then(|revision| revision.parse().ok()).unwrap_or(0)
}
