//! All that a leader decides: which controllers to wake for what changed, where pods go, and what is to be written.
//!
//! It reads no clock and writes nothing itself: the leading server, and the simulator, hand it the state and the time,
//! write what it wants, and tell it what became of that.

mod draft;
mod placing;
mod policies;
mod queue;
mod rebalancing;
mod told;
mod waiting;

use std::{collections::BTreeMap, time::Duration};

use skep_api::{Object, Pod, Time};
use skep_scheduler::Scheduler;
use skep_state::{Refusal, State, StateEvent, Verb};

use crate::{Context, Controller, Lease, Settings, Shared, admission, events};
use placing::Placing;
use queue::Queue;
use rebalancing::Rebalancing;

pub use draft::{Draft, Fate, Origin};
pub use queue::Work;

/// Keys reconciled against one state.
const KEYS_MAX: usize = 512;

/// With so many changes a decision is large enough: keys that are left wait for the next one.
const CHANGES_MAX: usize = 1024;

/// The least time before a controller looks again of its own accord.
const AGAIN_IN_LEAST: Duration = Duration::from_millis(10);

/// What a leader knows besides the state. It lasts for one term and holds nothing that must outlive it.
pub struct Manager {
    controllers: Vec<Box<dyn Controller>>,
    queue: Queue,
    placing: Placing,
    rebalancing: Rebalancing,
    /// Everything up to this revision has woken whom it concerns.
    seen: u64,
}

/// The moment of a decision.
#[derive(Clone, Copy)]
pub struct Moment<'a> {
    /// The cluster as it is.
    pub state: &'a State,
    /// The wall clock.
    pub wall: Time,
    /// The time since any fixed moment, on a clock that never jumps.
    pub at: Duration,
    /// When those of the named nodes that are known were last heard of.
    pub leases: &'a dyn Fn(&[&str]) -> BTreeMap<String, Lease>,
    /// How the cluster is set up.
    pub settings: &'a Settings,
}

/// A scheduler that knows all there is.
pub(crate) fn scheduler_of(state: &State, settings: &Settings) -> Scheduler {
    let mut placing = Placing::of(state);
    placing.fill(settings.scoring);
    placing.into_scheduler()
}

impl Manager {
    /// Begins a term, in which everything is looked at once.
    pub fn new(state: &State) -> Self {
        let mut manager = Self {
            controllers: crate::all(),
            queue: Queue::default(),
            placing: Placing::default(),
            rebalancing: Rebalancing::default(),
            seen: 0,
        };
        manager.begin(state);
        manager
    }

    /// Wakes whom the changes since the last look concern; what happened goes to `heard` as well.
    pub fn follow(&mut self, state: &State, at: Duration, mut heard: impl FnMut(&StateEvent)) {
        let Ok(events) = state.changes_since(self.seen) else {
            // It fell behind the history: everything is looked at again.
            return self.begin(state);
        };
        for event in events {
            let may_wait = is_status_alone(event);
            for (controller, reconciler) in self.controllers.iter().enumerate() {
                for key in reconciler.wakes(state, event) {
                    let work = Work { controller, key };
                    if may_wait {
                        self.queue.wake_rested(work, at);
                    } else {
                        self.queue.wake(work);
                    }
                }
            }
            self.placing.follow(event, at);
            self.rebalancing.follow(state, event, at);
            heard(event);
        }
        self.seen = self.seen.max(state.revision());
    }

    /// What is to be written now. Call it after [`Manager::follow`] of the same state, and again until it wants nothing
    /// and [`Manager::is_ready`] is false.
    pub fn decide(&mut self, moment: &Moment<'_>) -> Draft {
        let mut draft = Draft::default();
        self.reconcile(moment, &mut draft);
        self.placing.fill(moment.settings.scoring);
        let placed = self.placing.place(moment.state, moment.wall, moment.at);
        for placement in placed.placements {
            draft.add_placement(placement);
        }
        draft.notes.extend(placed.notes);
        let (moves, told) = self.rebalancing.decide(moment, self.placing.scheduler());
        draft.add_record(moves);
        draft.notes.extend(told);
        self.admit(moment, &mut draft);
        let record = events::record(moment.state, &draft.notes, "", moment.wall);
        draft.add_record(record);
        draft
    }

    /// Takes note of what became of a change; the refusal that is worth a line in a log, with the name of the controller.
    pub fn settle<'a>(
        &mut self,
        origin: Origin,
        fate: Fate<'a>,
        at: Duration,
    ) -> Option<(&'static str, Work, &'a Refusal)> {
        match (origin, fate) {
            (Origin::Work(work), Fate::Accepted) => self.queue.succeeded(&work),
            (Origin::Work(work), Fate::Refused(refusal)) => {
                let name = self.controllers[work.controller].name();
                self.queue.failed(work.clone(), at);
                return Some((name, work, refusal));
            }
            (Origin::Work(work), Fate::NotWritten) => self.queue.failed(work, at),
            (Origin::Placement(pod, uid), Fate::Refused(_) | Fate::NotWritten) => {
                self.placing.refused(pod, &uid);
            }
            (Origin::Placement(..), Fate::Accepted) | (Origin::Note, _) => {}
        }
        None
    }

    /// True where some keys are left for the next decision.
    pub fn is_ready(&self) -> bool {
        self.queue.is_ready()
    }

    /// How much there is to look at: changes of this state that were not followed yet, keys, and pods that wait for a node.
    pub fn backlog(&self, state: &State) -> usize {
        let changes = state.revision().saturating_sub(self.seen);
        usize::try_from(changes).unwrap_or(usize::MAX) + self.queue.len() + self.placing.waiting()
    }

    /// When to decide again though nothing has changed; `None` for never.
    pub fn next_at(&self, at: Duration) -> Option<Duration> {
        [
            self.queue.next_timer(),
            self.placing.next_at(at),
            self.rebalancing.next_at(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn begin(&mut self, state: &State) {
        for (controller, reconciler) in self.controllers.iter().enumerate() {
            for key in reconciler.all(state) {
                self.queue.wake(Work { controller, key });
            }
        }
        self.placing = Placing::of(state);
        self.rebalancing = Rebalancing::of(state);
        self.seen = state.revision();
    }

    /// Pods that controllers make go through admission like those of people; whoever makes one that is not let in tries again
    /// later. Most are made by the hundred: one that is as the last one need not be looked at again.
    fn admit(&mut self, moment: &Moment<'_>, draft: &mut Draft) {
        let mut refused = Vec::new();
        let mut admitted: Option<Pod> = None;
        for (index, change) in draft.changes.iter_mut().enumerate() {
            let Verb::Create(object) = &mut change.verb else {
                continue;
            };
            let Object::Pod(pod) = &mut **object else {
                continue;
            };
            if admitted.as_ref().is_some_and(|other| is_alike(pod, other)) {
                continue;
            }
            let before = pod.clone();
            if admission::pod(moment.state, pod).is_err() {
                refused.push(index);
            } else if *pod == before {
                // It shares what it has with others still.
                *pod = before.clone();
                admitted = Some(*before);
            }
        }
        for index in refused.into_iter().rev() {
            draft.changes.remove(index);
            if let Origin::Work(work) = draft.origins.remove(index) {
                self.queue.failed(work, moment.at);
            }
        }
    }

    fn reconcile(&mut self, moment: &Moment<'_>, draft: &mut Draft) {
        let works = self.queue.take(moment.at, KEYS_MAX);
        // A controller asks for the lease of the node that it is to look at, and for no other.
        let names: Vec<&str> = works.iter().map(|work| work.key.name.as_str()).collect();
        let leases = (moment.leases)(&names);
        let context = Context {
            state: moment.state,
            now: moment.wall,
            leases: &leases,
            settings: moment.settings,
            shared: &Shared::default(),
        };
        let mut works = works.into_iter();
        for work in works.by_ref() {
            let wanted = self.controllers[work.controller].reconcile(&context, &work.key);
            if let Some(again_in) = wanted.again_in {
                self.queue
                    .wake_at(work.clone(), moment.at + again_in.max(AGAIN_IN_LEAST));
            }
            if wanted.changes.is_empty() {
                self.queue.succeeded(&work);
            }
            if !wanted.rest.is_zero() {
                self.queue.rest(work.clone(), moment.at + wanted.rest);
            }
            draft.add_work(&work, wanted.changes, wanted.events);
            if draft.changes.len() >= CHANGES_MAX {
                break;
            }
        }
        works.for_each(|work| self.queue.wake(work));
    }
}

/// True where nothing but the status of an object has changed: neither what people want nor who owns it.
fn is_status_alone(event: &StateEvent) -> bool {
    match (&event.before, &event.after) {
        (Some(before), Some(after)) => before.meta().is_same_but_for_revision(after.meta()),
        _ => false,
    }
}

/// True where admission sees no difference between new pods.
fn is_alike(pod: &Pod, other: &Pod) -> bool {
    let (meta, known) = (&pod.metadata, &other.metadata);
    pod.spec == other.spec
        && meta.namespace == known.namespace
        && meta.labels == known.labels
        && meta.annotations == known.annotations
        && meta.owner_references == known.owner_references
}
