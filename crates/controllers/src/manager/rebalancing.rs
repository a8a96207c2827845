//! When to look for pods that would be better off elsewhere, and how many moves may begin.

use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};

use skep_api::{Kind, Namespace, Object, ObjectKey, Pod, Resource};
use skep_scheduler::Scheduler;
use skep_state::{Change, State, StateEvent};

use super::Moment;
use crate::{
    EventNote,
    rebalance::{self, Choice, Moving},
};

/// The time between two looks for pods to move, and what is added to it for each thousand pods.
const LOOK_EVERY: Duration = Duration::from_secs(10);
const LOOK_MORE: Duration = Duration::from_millis(500);

/// The time between two looks at the moves that are under way.
const CARRY_ON_EVERY: Duration = Duration::from_secs(1);

/// Moves are counted over this long. A new leader, who knows of none, waits that long before it begins one.
const MINUTE: Duration = Duration::from_secs(60);

/// Which pods are being moved, and when to look.
#[derive(Default)]
pub(super) struct Rebalancing {
    moving: BTreeSet<ObjectKey>,
    /// Namespaces that ask for it.
    asking: BTreeSet<String>,
    /// When moves began, within the last minute.
    begun: VecDeque<Duration>,
    look_at: Option<Duration>,
    carry_on_at: Option<Duration>,
    notes: Vec<EventNote>,
}

impl Rebalancing {
    /// All there is in the state.
    pub(super) fn of(state: &State) -> Self {
        let asking = state.list::<Namespace>(None).filter(|one| asks(one));
        let moving = state.list::<Pod>(None).filter(|pod| Moving::of(pod).is_some());
        Self {
            asking: asking.map(|one| one.metadata.name.clone()).collect(),
            moving: moving.map(Resource::key).collect(),
            ..Self::default()
        }
    }

    /// Takes note of a change.
    pub(super) fn follow(&mut self, state: &State, event: &StateEvent, at: Duration) {
        match event.kind {
            Kind::Namespace => {
                let namespace = event.after.as_deref().and_then(Namespace::from_object);
                if namespace.is_some_and(asks) {
                    self.asking.insert(event.key.name.clone());
                } else {
                    self.asking.remove(&event.key.name);
                }
            }
            Kind::Pod => self.follow_pod(state, event, at),
            _ => {}
        }
    }

    fn follow_pod(&mut self, state: &State, event: &StateEvent, at: Duration) {
        fn pod(object: Option<&Object>) -> Option<&Pod> {
            object.and_then(Pod::from_object)
        }
        let (before, after) = (pod(event.before.as_deref()), pod(event.after.as_deref()));
        let was = before.is_some_and(|pod| Moving::of(pod).is_some());
        let Some((pod, moving)) = after.and_then(|pod| Some((pod, Moving::of(pod)?))) else {
            if was {
                self.moving.remove(&event.key);
                self.carry_on_at = None;
            }
            return;
        };
        if !was {
            self.moving.insert((*event.key).clone());
            self.begun.push_back(at);
            self.notes.extend(rebalance::started(state, pod, &moving));
        } else if pod.metadata.is_deleting() && !before.is_some_and(|pod| pod.metadata.is_deleting()) {
            self.notes.extend(rebalance::stopped(state, pod));
        }
    }

    /// When there is something to look at though nothing has changed.
    pub(super) fn next_at(&self) -> Option<Duration> {
        [self.look_at, self.carry_on_at].into_iter().flatten().min()
    }

    /// What is to be written: for the moves that are under way, and for those that begin.
    pub(super) fn decide(
        &mut self,
        moment: &Moment<'_>,
        scheduler: &Scheduler,
    ) -> (Vec<Change>, Vec<EventNote>) {
        let mut changes = Vec::new();
        let mut notes = std::mem::take(&mut self.notes);
        self.carry_on(moment, scheduler, &mut changes, &mut notes);
        let wanted = moment.settings.rebalancing.everywhere || !self.asking.is_empty();
        if !wanted {
            self.look_at = None;
            return (changes, notes);
        }
        let look_at = *self.look_at.get_or_insert(moment.at + MINUTE);
        if look_at <= moment.at {
            self.begin(moment, scheduler, &mut changes);
            let thousands = u32::try_from(moment.state.count(Kind::Pod) / 1000).unwrap_or(u32::MAX);
            self.look_at = Some(moment.at + LOOK_EVERY + LOOK_MORE.saturating_mul(thousands));
        }
        (changes, notes)
    }

    fn carry_on(
        &mut self,
        moment: &Moment<'_>,
        scheduler: &Scheduler,
        changes: &mut Vec<Change>,
        notes: &mut Vec<EventNote>,
    ) {
        if self.moving.is_empty() {
            self.carry_on_at = None;
            return;
        }
        if self.carry_on_at.is_some_and(|next| next > moment.at) {
            return;
        }
        for key in &self.moving {
            let (change, note) = rebalance::carry_on(moment.state, scheduler, key, moment.wall);
            changes.extend(change);
            notes.extend(note);
        }
        self.carry_on_at = Some(moment.at + CARRY_ON_EVERY);
    }

    fn begin(&mut self, moment: &Moment<'_>, scheduler: &Scheduler, changes: &mut Vec<Change>) {
        while self
            .begun
            .front()
            .is_some_and(|began| *began + MINUTE <= moment.at)
        {
            self.begun.pop_front();
        }
        let limits = moment.settings.rebalancing;
        let room = limits.at_once.saturating_sub(self.moving.len());
        let room = room.min(limits.per_minute.saturating_sub(self.begun.len()));
        if room == 0 {
            return;
        }
        let (state, settings) = (moment.state, moment.settings);
        let mut choice = Choice::new(room, false);
        let asked = |pod: &Pod| rebalance::is_asked(state, settings, pod);
        rebalance::choose(state, &mut scheduler.clone(), &asked, moment.wall, &mut choice);
        let begun = choice
            .moves
            .iter()
            .filter_map(|one| one.begin(state, moment.wall));
        changes.extend(begun);
    }
}

fn asks(namespace: &Namespace) -> bool {
    rebalance::says(namespace) == Some(true)
}
