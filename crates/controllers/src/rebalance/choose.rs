//! Which pods are moved next: misplaced ones first, then those of the fullest nodes.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use skep_api::{ObjectKey, Pod, Quantity, Resource, Time};
use skep_scheduler::{NodeFullness, Relocation, Scheduler, Scoring, Unmoved};
use skep_state::State;

use super::{Held, MARGIN, Move, Moving, is_better, movable, told};
use crate::forecast;

/// Pods that are tried in one look; the next look comes soon.
const TRIES_MAX: usize = 256;

/// Pods told of that are held back.
const HELD_MAX: usize = 500;

/// What is chosen, and how far to go.
pub(crate) struct Choice {
    pub(crate) moves: Vec<Move>,
    pub(crate) held: BTreeMap<ObjectKey, Held>,
    limit: usize,
    /// Look ahead further than one pod of each set, and say what is held back.
    ahead: bool,
    tries: usize,
    moved: BTreeSet<ObjectKey>,
    sets: BTreeSet<String>,
    /// Sets whose pods found no better node, on the named node or wherever they are.
    in_vain: BTreeSet<(String, String)>,
}

impl Choice {
    pub(crate) fn new(limit: usize, ahead: bool) -> Self {
        Self {
            moves: Vec::new(),
            held: BTreeMap::new(),
            limit,
            ahead,
            tries: TRIES_MAX,
            moved: BTreeSet::new(),
            sets: BTreeSet::new(),
            in_vain: BTreeSet::new(),
        }
    }
}

/// Chooses pods to move among those that `asked` holds for, and moves them in the scheduler's tables: give it a clone.
pub(crate) fn choose(
    state: &State,
    scheduler: &mut Scheduler,
    asked: &dyn Fn(&Pod) -> bool,
    now: Time,
    choice: &mut Choice,
) {
    let mut chooser = Chooser {
        state,
        scheduler,
        asked,
        now,
        choice,
    };
    chooser.choice.in_vain.clear();
    while chooser.choice.moves.len() < chooser.choice.limit && chooser.choice.tries > 0 {
        if !chooser.misplaced() && !chooser.overfull() {
            return;
        }
        chooser.choice.in_vain.clear();
    }
}

struct Chooser<'a> {
    state: &'a State,
    scheduler: &'a mut Scheduler,
    asked: &'a dyn Fn(&Pod) -> bool,
    now: Time,
    choice: &'a mut Choice,
}

impl<'a> Chooser<'a> {
    /// Moves one pod that would not be placed where it is; false where there is none.
    fn misplaced(&mut self) -> bool {
        for found in self.scheduler.misplaced() {
            let Some(pod) = self.candidate(&found.pod, &found.node) else {
                continue;
            };
            let why = found.why.of_node(&found.node);
            if self.attempt(pod, false, &|_| true, &|_| why.clone()) {
                return true;
            }
        }
        false
    }

    /// Moves one pod off the fullest node that has one to give; false where there is none.
    fn overfull(&mut self) -> bool {
        let mut nodes = self.scheduler.fullness();
        let Some(least) = nodes.iter().map(|node| node.fullness.most()).min() else {
            return false;
        };
        nodes.sort_by_key(|node| Reverse(node.fullness.most()));
        let full = |node: &&NodeFullness| node.fullness.most() > least.saturating_add(MARGIN);
        for node in nodes
            .iter()
            .take_while(full)
            .filter(|node| node.scoring == Scoring::Spread)
        {
            for pod in self.ranked(node) {
                let accept = |to: &Relocation| {
                    is_better(to.left[0], to.joined[1]) && to.left[1].most() < to.left[0].most()
                };
                if self.attempt(pod, true, &accept, &numbers) {
                    return true;
                }
            }
        }
        false
    }

    /// The pods of a node that may be asked to go, the least important first, and the largest of equals.
    fn ranked(&self, node: &NodeFullness) -> Vec<&'a Pod> {
        let scarcer = node.fullness.scarcer();
        let size = |pod: &Pod| pod.requests().get(scarcer).map_or(0, Quantity::millis);
        let pods = self.state.pods_on(&node.node);
        let mut pods: Vec<&Pod> = pods
            .filter(|pod| !self.is_in_vain(pod) && self.candidate(&pod.key(), &node.node).is_some())
            .collect();
        pods.sort_by_cached_key(|pod| (pod.spec.effective_priority(), Reverse(size(pod)), pod.key()));
        pods
    }

    /// True where nothing better was found for a pod of the same set, wherever it is.
    fn is_in_vain(&self, pod: &Pod) -> bool {
        let set = pod.metadata.controller().map(|owner| owner.uid.clone());
        set.is_some_and(|set| self.choice.in_vain.contains(&(set, String::new())))
    }

    /// The pod where it is in question and was not chosen before.
    fn candidate(&self, key: &ObjectKey, node: &str) -> Option<&'a Pod> {
        let pod = self.state.get::<Pod>(key)?;
        let here = pod.spec.node_name == node && !pod.is_terminal() && !pod.metadata.is_deleting();
        let open = here && !self.choice.moved.contains(key) && (self.asked)(pod);
        (open && Moving::of(pod).is_none()).then_some(pod)
    }

    fn attempt(
        &mut self,
        pod: &Pod,
        overfull: bool,
        accept: &dyn Fn(&Relocation) -> bool,
        why: &dyn Fn(&Relocation) -> String,
    ) -> bool {
        let node = pod.spec.node_name.clone();
        let set = match movable::check(self.state, pod, self.now) {
            Ok(set) => set.metadata.uid.clone(),
            Err(by) => {
                self.regret(pod, by, accept, why);
                return false;
            }
        };
        let in_vain = |node: &str| self.choice.in_vain.contains(&(set.clone(), node.to_owned()));
        let again = !self.choice.ahead && self.choice.sets.contains(&set);
        if again || in_vain("") || in_vain(&node) || self.choice.tries == 0 {
            return false;
        }
        self.choice.tries -= 1;
        match self.scheduler.relocate(pod, accept) {
            Ok(relocation) => {
                self.take(pod, set, why(&relocation), relocation, overfull);
                true
            }
            Err(refused) => {
                let place = match &refused {
                    // Wherever another pod of the set is, it would not fare better.
                    Unmoved::NoRoom(_) | Unmoved::Unwanted(_) => String::new(),
                    Unmoved::Stays | Unmoved::Harms(_) => node.clone(),
                };
                match refused {
                    Unmoved::NoRoom(none) => {
                        let why = self.why_at(&node, why);
                        self.hold(pod, why, format!("no room for its replacement: {none}"));
                    }
                    Unmoved::Harms(to) => {
                        let by = "other pods must be near it, or are evenly spread with it";
                        self.hold(pod, why(&to), by.to_owned());
                    }
                    Unmoved::Stays | Unmoved::Unwanted(_) => {}
                }
                self.choice.in_vain.insert((set, place));
                false
            }
        }
    }

    /// Where a pod may not be moved that would be better off elsewhere, that is told.
    fn regret(
        &mut self,
        pod: &Pod,
        by: String,
        accept: &dyn Fn(&Relocation) -> bool,
        why: &dyn Fn(&Relocation) -> String,
    ) {
        if !self.choice.ahead || self.choice.held.contains_key(&pod.key()) || self.choice.tries == 0 {
            return;
        }
        self.choice.tries -= 1;
        let mut wish = None;
        let refused = self.scheduler.relocate(pod, |to| {
            wish = accept(to).then(|| why(to));
            false
        });
        if let Err(Unmoved::NoRoom(_)) = refused {
            wish = Some(self.why_at(&pod.spec.node_name, why));
        }
        if let Some(wish) = wish {
            self.hold(pod, wish, by);
        }
    }

    /// Why a pod should leave a node though there is no other for it.
    fn why_at(&self, node: &str, why: &dyn Fn(&Relocation) -> String) -> String {
        let left = self.scheduler.fullness_of(node).unwrap_or_default();
        let nowhere = Relocation {
            from: node.to_owned(),
            to: String::new(),
            left: [left; 2],
            joined: [left; 2],
        };
        why(&nowhere)
    }

    fn take(&mut self, pod: &Pod, set: String, why: String, to: Relocation, overfull: bool) {
        self.choice.moved.insert(pod.key());
        self.choice.held.remove(&pod.key());
        self.choice.sets.insert(set.clone());
        self.choice.moves.push(Move {
            pod: pod.key(),
            uid: pod.metadata.uid.clone(),
            owner: forecast::owner(self.state, pod),
            set,
            from: to.from,
            to: to.to,
            why,
            overfull,
            held_by: String::new(),
        });
    }

    fn hold(&mut self, pod: &Pod, why: String, by: String) {
        if !self.choice.ahead || self.choice.held.len() >= HELD_MAX {
            return;
        }
        let node = pod.spec.node_name.clone();
        self.choice.held.entry(pod.key()).or_insert(Held {
            pod: pod.key(),
            node,
            why,
            by,
        });
    }
}

/// `n1 uses 92% of its memory (88% without it), n2 would use 41% of its cpu`.
fn numbers(to: &Relocation) -> String {
    let before = format!("{} uses {}", to.from, told(to.left[0]));
    if to.to.is_empty() {
        return before;
    }
    let (after, joined) = (told(to.left[1]), told(to.joined[1]));
    format!("{before} ({after} without it), {} would use {joined}", to.to)
}
