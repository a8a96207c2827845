//! Rebalancing: pods that would be better off on another node are moved there, within what budgets, pace and owners allow.
//!
//! Two sorts of pods are moved. A *misplaced* pod would not be placed where it is: labels, taints, affinity or spread say
//! otherwise by now, or its node has promised more than it has. A pod on an *overfull* node is moved where the scheduler
//! would place it on another one that even then is emptier by a margin. A move never makes another pod misplaced.
//!
//! So moves come to an end: each makes the misplaced pods fewer, or leaves them as they are and takes from a node to one that
//! stays less full than that node was, by the margin. Either way something that is bounded below falls.
//!
//! A move is a mark on the pod, which makes its replica set replace it as draining does; the pod is evicted once its
//! replacement serves. All that a move needs to go on is in that mark: a new leader goes on where the one before it was.

mod carry;
mod choose;
mod mark;
mod movable;

use skep_api::{Kind, Namespace, ObjectKey, Pod, Resource, Time, well_known};
use skep_scheduler::Fullness;
use skep_state::State;

use crate::Settings;

pub(crate) use carry::{carry_on, started, stopped};
pub(crate) use choose::{Choice, choose};
pub use mark::Moving;

/// The name of this part in events.
pub(crate) const COMPONENT: &str = "rebalancer";

/// How much emptier than the node a pod leaves the other one must be, the pod included, in millionths.
pub(crate) const MARGIN: u64 = 100_000;

/// Moves that a plan looks ahead at most.
const PLANNED_MAX: usize = 100;

/// A pod that is to be moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// The pod.
    pub pod: ObjectKey,
    /// Its uid.
    pub uid: String,
    /// What makes it in the end.
    pub owner: (Kind, ObjectKey),
    /// Its replica set's uid.
    pub(crate) set: String,
    /// The node it is on.
    pub from: String,
    /// The node where its replacement would come.
    pub to: String,
    /// Why, in words and numbers.
    pub why: String,
    /// True where it may be where it is, and its node is overfull.
    pub overfull: bool,
    /// Why it does not begin at once; empty where it does.
    pub held_by: String,
}

/// A pod that should be moved and is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The pod.
    pub pod: ObjectKey,
    /// The node it is on.
    pub node: String,
    /// Why it should be moved.
    pub why: String,
    /// What stands in the way.
    pub by: String,
}

/// What rebalancing would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RebalancePlan {
    /// The namespaces in which it is at work; `None` stands for all.
    pub namespaces: Option<Vec<String>>,
    /// Moves under way, by pod, in words.
    pub under_way: Vec<(ObjectKey, String, Moving)>,
    /// In this order.
    pub moves: Vec<Move>,
    /// By pod.
    pub held: Vec<Held>,
}

/// What rebalancing would do in this state, first where it is asked for and then everywhere else; nothing is changed.
pub fn plan(state: &State, settings: &Settings, now: Time) -> RebalancePlan {
    let mut scheduler = crate::manager::scheduler_of(state, settings);
    let under_way: Vec<_> = state
        .list::<Pod>(None)
        .filter_map(|pod| Some((pod.key(), pod.spec.node_name.clone(), Moving::of(pod)?)))
        .collect();
    let limits = settings.rebalancing;
    let open = limits
        .at_once
        .saturating_sub(under_way.len())
        .min(limits.per_minute);
    let mut plan = RebalancePlan {
        namespaces: (!limits.everywhere).then(|| asking(state)),
        under_way,
        ..RebalancePlan::default()
    };
    let mut choice = Choice::new(PLANNED_MAX, true);
    choose(
        state,
        &mut scheduler,
        &|pod| is_asked(state, settings, pod),
        now,
        &mut choice,
    );
    let asked = choice.moves.len();
    choose(
        state,
        &mut scheduler,
        &|pod| !is_asked(state, settings, pod),
        now,
        &mut choice,
    );
    let mut sets = std::collections::BTreeSet::new();
    let mut begun = 0;
    for (index, one) in choice.moves.iter_mut().enumerate() {
        one.held_by = if index >= asked {
            "rebalancing is off here".to_owned()
        } else if !sets.insert(one.set.clone()) {
            "one pod of a replica set at a time".to_owned()
        } else if begun >= open {
            let (many, pace) = (limits.at_once, limits.per_minute);
            format!("{many} are under way at most, {pace} begin in a minute")
        } else {
            begun += 1;
            String::new()
        };
    }
    (plan.moves, plan.held) = (choice.moves, choice.held.into_values().collect());
    plan
}

/// Whether pods of this one's namespace are to be moved.
pub(crate) fn is_asked(state: &State, settings: &Settings, pod: &Pod) -> bool {
    let namespace = state.get::<Namespace>(&ObjectKey::cluster(&pod.metadata.namespace));
    match namespace.and_then(says) {
        Some(says) => says,
        None => settings.rebalancing.everywhere,
    }
}

/// What a namespace says about it.
pub(crate) fn says(namespace: &Namespace) -> Option<bool> {
    let said = namespace.metadata.annotations.get(well_known::REBALANCE)?;
    said.parse().ok()
}

fn asking(state: &State) -> Vec<String> {
    let asking = state
        .list::<Namespace>(None)
        .filter(|one| says(one) == Some(true));
    asking.map(|one| one.metadata.name.clone()).collect()
}

/// `92% of its memory`.
pub(crate) fn told(fullness: Fullness) -> String {
    let percent = fullness.most() * 100 / skep_scheduler::WHOLE;
    format!("{percent}% of its {}", fullness.scarcer())
}

/// True where a pod that leaves a node so full is better off on one that is so full with it.
pub(crate) fn is_better(left: Fullness, joined: Fullness) -> bool {
    joined.most().saturating_add(MARGIN) <= left.most()
}
