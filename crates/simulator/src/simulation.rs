//! The clock and what it brings: one happening after the other, in an order that follows from the scenario and the seed.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    time::Duration,
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use skep_api::{Object, Pod, Resource, Time};
use skep_controllers::{Fate, Manager, Moment, Settings};
use skep_state::{Change, Entry, Outcome, State, StateEvent};

use crate::{
    Report, Scenario, ScenarioError,
    agents::{self, Agents, Fact},
    observer::Observer,
    stamp::Stamp,
    steps,
};

/// When simulated clusters begin: 2026-01-01T00:00:00Z.
const BEGIN_SECS: i64 = 1_767_225_600;

/// Times that depend on chance differ by up to one part in this many.
const JITTER_PART: u32 = 5;

/// A cluster that is being played.
pub struct Simulation {
    pub(crate) scenario: Scenario,
    pub(crate) state: State,
    pub(crate) agents: Agents,
    pub(crate) chance: StdRng,
    /// Since the beginning.
    pub(crate) now: Duration,
    manager: Manager,
    settings: Settings,
    stamp: Stamp,
    observer: Observer,
    agenda: BinaryHeap<Reverse<(Duration, u64)>>,
    happenings: BTreeMap<u64, Happening>,
    next_happening: u64,
    /// When the leader is to decide; it decides once in the time that a write takes.
    lead_at: Option<Duration>,
    lead_earliest: Duration,
    seen: u64,
}

enum Happening {
    Lead,
    Heartbeat,
    Step(usize),
    /// Something happens to the pod of this name and uid.
    Pod(skep_api::ObjectKey, String, Fact),
}

impl Simulation {
    /// A cluster as it is at the beginning of the scenario; `seed` replaces the scenario's own.
    ///
    /// # Errors
    /// Where the state does not accept what the scenario deploys.
    pub fn new(scenario: Scenario, seed: Option<u64>) -> Result<Self, ScenarioError> {
        let seed = seed.unwrap_or(scenario.seed);
        let state = State::default();
        let mut simulation = Self {
            manager: Manager::new(&state),
            state,
            agents: Agents::default(),
            chance: StdRng::seed_from_u64(seed),
            stamp: Stamp::new(seed),
            now: Duration::ZERO,
            settings: settings(&scenario),
            observer: Observer::default(),
            agenda: BinaryHeap::new(),
            happenings: BTreeMap::new(),
            next_happening: 0,
            lead_at: None,
            lead_earliest: Duration::ZERO,
            seen: 0,
            scenario,
        };
        simulation.prepare()?;
        Ok(simulation)
    }

    /// Plays to the end of the scenario; `progress` hears of each simulated time at which something happened.
    ///
    /// # Errors
    /// Where a step cannot be carried out: which, and why.
    pub fn run(&mut self, mut progress: impl FnMut(Duration)) -> Result<(), ScenarioError> {
        let end = self.scenario.duration.0;
        while let Some(Reverse((at, id))) = self.agenda.pop() {
            if at > end {
                break;
            }
            self.now = at;
            progress(at);
            if let Some(happening) = self.happenings.remove(&id) {
                self.happen(happening)?;
            }
        }
        self.now = end;
        Ok(())
    }

    /// How things are, and how they came about.
    pub fn report(&self) -> Report {
        self.observer.report(&self.scenario, &self.state, self.now)
    }

    /// What happened, a line each, oldest first: joins, losses, placements, preemptions and the like.
    pub fn timeline(&self) -> impl Iterator<Item = String> + '_ {
        self.observer.timeline()
    }

    /// The cluster as it is.
    pub fn state(&self) -> &State {
        &self.state
    }

    pub(crate) fn wall(&self) -> Time {
        Time::from_secs(BEGIN_SECS).plus(self.now)
    }

    /// Writes changes, and sets in motion what follows from them.
    pub(crate) fn write(&mut self, mut changes: Vec<Change>) -> Vec<Outcome> {
        let now = self.wall();
        self.stamp.changes(&mut changes, now);
        let outcomes = self.state.apply(&Entry {
            request_id: String::new(),
            sent: None,
            now,
            changes,
        });
        self.follow();
        self.lead();
        outcomes
    }

    /// Has the agent of the pod do what is to be done about it.
    pub(crate) fn attend(&mut self, pod: &Pod) {
        let Some(node) = agents::node_of(pod) else { return };
        if !self.agents.is_alive(node) {
            return;
        }
        if let Some((fact, wait)) = agents::next(pod, &self.scenario.timing) {
            let wait = self.jittered(wait);
            self.plan(
                self.now + wait,
                Happening::Pod(pod.key(), pod.metadata.uid.clone(), fact),
            );
        }
    }

    fn prepare(&mut self) -> Result<(), ScenarioError> {
        self.plan(self.scenario.timing.heartbeat.0, Happening::Heartbeat);
        let times: Vec<Duration> = self.scenario.steps.iter().map(|step| step.at.0).collect();
        for (index, at) in times.into_iter().enumerate() {
            self.plan(at, Happening::Step(index));
        }
        let groups = self.scenario.nodes.clone();
        let objects = std::mem::take(&mut self.scenario.objects);
        steps::furnish(self);
        for group in &groups {
            steps::join(self, group)
                .map_err(|why| ScenarioError::at(format!("nodes ({})", group.name), why))?;
        }
        for object in objects {
            steps::apply(self, object).map_err(|why| ScenarioError::at("documents", why))?;
        }
        Ok(())
    }

    fn happen(&mut self, happening: Happening) -> Result<(), ScenarioError> {
        match happening {
            Happening::Lead => self.decide(),
            Happening::Heartbeat => {
                let now = self.wall();
                self.agents.heartbeat(now);
                self.plan(self.now + self.scenario.timing.heartbeat.0, Happening::Heartbeat);
            }
            Happening::Step(index) => steps::take(self, index)?,
            Happening::Pod(key, uid, fact) => self.happen_to(&key, &uid, &fact),
        }
        Ok(())
    }

    fn happen_to(&mut self, key: &skep_api::ObjectKey, uid: &str, fact: &Fact) {
        let Some(pod) = self.state.get::<Pod>(key).filter(|pod| pod.metadata.uid == uid) else {
            return;
        };
        let alive = agents::node_of(pod).is_some_and(|node| self.agents.is_alive(node));
        let change = agents::report(pod, fact, self.wall()).filter(|_| alive);
        if let Some(change) = change {
            self.write(vec![change]);
        }
    }

    /// One look of the leader: what it wants is written at once and costs it the time of a write.
    fn decide(&mut self) {
        self.lead_at = None;
        let (state, wall) = (self.state.clone(), self.wall());
        self.manager.follow(&state, self.now, |_| {});
        let draft = self.manager.decide(&Moment {
            state: &state,
            wall,
            at: self.now,
            leases: &|names| self.agents.leases(names),
            settings: &self.settings,
        });
        if draft.is_empty() {
            if self.manager.is_ready() {
                self.lead();
            } else if let Some(at) = self.manager.next_at(self.now) {
                self.lead_by(at);
            }
            return;
        }
        self.lead_earliest = self.now + self.scenario.timing.write.0;
        let origins = draft.origins;
        let outcomes = self.write(draft.changes);
        for (origin, outcome) in origins.into_iter().zip(&outcomes) {
            let fate = match outcome {
                Ok(_) => Fate::Accepted,
                Err(refusal) => Fate::Refused(refusal),
            };
            self.manager.settle(origin, fate, self.now);
        }
    }

    /// The leader has something to look at.
    fn lead(&mut self) {
        self.lead_by(self.now);
    }

    fn lead_by(&mut self, at: Duration) {
        let at = at.max(self.lead_earliest).max(self.now);
        if self.lead_at.is_none_or(|planned| at < planned) {
            self.lead_at = Some(at);
            self.plan(at, Happening::Lead);
        }
    }

    fn follow(&mut self) {
        let state = self.state.clone();
        let events: Vec<&std::sync::Arc<StateEvent>> = match state.changes_since(self.seen) {
            Ok(events) => events.collect(),
            // More than the history holds was written at once: pods are found by looking.
            Err(_) => Vec::new(),
        };
        let fell_behind = events.is_empty() && state.revision() > self.seen;
        self.seen = state.revision();
        if fell_behind {
            for pod in state.list::<Pod>(None) {
                self.attend(pod);
            }
            return;
        }
        for event in events {
            self.observer.note(event, self.now);
            if let Some(Object::Pod(pod)) = event.after.as_deref()
                && needs_attention(event)
            {
                self.attend(pod);
            }
        }
    }

    fn jittered(&mut self, wait: Duration) -> Duration {
        let part = wait / JITTER_PART;
        if part.is_zero() {
            return wait;
        }
        let nanos = u64::try_from(part.as_nanos()).unwrap_or(u64::MAX);
        wait + Duration::from_nanos(self.chance.random_range(0..nanos))
    }

    fn plan(&mut self, at: Duration, happening: Happening) {
        self.agenda.push(Reverse((at, self.next_happening)));
        self.happenings.insert(self.next_happening, happening);
        self.next_happening += 1;
    }
}

/// Room for addresses of more nodes than any scenario has.
fn settings(scenario: &Scenario) -> Settings {
    let mut settings = Settings {
        cluster_cidr: "10.0.0.0/8".parse().expect("a block of addresses"),
        node_cidr_prefix: 25,
        ..Settings::default()
    };
    scenario.policy.apply(&mut settings);
    settings
}

/// Whether an event gives the pod's agent something new to do.
fn needs_attention(event: &StateEvent) -> bool {
    let pod = |object: &Option<std::sync::Arc<Object>>| match object.as_deref() {
        Some(Object::Pod(pod)) => Some((
            pod.spec.node_name.clone(),
            pod.metadata.is_deleting(),
            pod.metadata.deletion_grace_period_seconds,
            pod.status.phase,
        )),
        _ => None,
    };
    pod(&event.before) != pod(&event.after)
}
