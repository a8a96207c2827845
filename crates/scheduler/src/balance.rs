//! For rebalancing: how full nodes are, which pods would not be placed where they are, and what moving one would come to.

use std::collections::BTreeSet;

use skep_api::{ConditionStatus, ObjectKey, Pod, PreemptionPolicy};

use crate::{
    Scheduler, Scoring,
    decision::Outcome,
    explain::Explanation,
    filter::{Obstacle, Rejection},
    resource::{CPU, MEMORY},
    rules::Rules,
    tables::Tables,
    template::Template,
};

/// What stands for a whole in [`Fullness`].
pub const WHOLE: u64 = 1_000_000;

/// Taints of these come and go with a node's condition; others are set by people.
const CONDITIONS: &str = "node.kubernetes.io/";

/// What of a node is in use, in millionths of what it has: more than a million where it has promised too much. Pods without
/// requests count as they do for scores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fullness {
    /// Of its CPU.
    pub cpu: u64,
    /// Of its memory.
    pub memory: u64,
}

/// A node that takes pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeFullness {
    /// Its name.
    pub node: String,
    /// What of it is in use.
    pub fullness: Fullness,
    /// How it is filled.
    pub scoring: Scoring,
}

/// A pod that would not be placed where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misplaced {
    /// Its namespace and name.
    pub pod: ObjectKey,
    /// The node it is on.
    pub node: String,
    /// What stands against it there.
    pub why: Rejection,
}

/// What a move comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relocation {
    /// The node the pod leaves.
    pub from: String,
    /// The node it goes to.
    pub to: String,
    /// Of `from`, before and after.
    pub left: [Fullness; 2],
    /// Of `to`, before and after.
    pub joined: [Fullness; 2],
}

/// Why a pod is not moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unmoved {
    /// No node has a place for its replacement while it is still there.
    NoRoom(Box<Explanation>),
    /// Its replacement would come to the same node.
    Stays,
    /// Nobody accepted this.
    Unwanted(Relocation),
    /// Other pods would not be placed any more where they are: they must be near it, or are spread with it.
    Harms(Relocation),
}

impl Fullness {
    /// Of what is scarcer.
    pub fn most(self) -> u64 {
        self.cpu.max(self.memory)
    }

    /// What is scarcer.
    pub fn scarcer(self) -> &'static str {
        if self.memory > self.cpu { "memory" } else { "cpu" }
    }
}

impl Scheduler {
    /// The nodes that are ready and not cordoned, in the order of their names.
    pub fn fullness(&self) -> Vec<NodeFullness> {
        let nodes = &self.tables.nodes;
        let open = nodes
            .existing()
            .filter(|(_, row)| row.ready == ConditionStatus::True && !row.cordoned);
        open.map(|(index, row)| NodeFullness {
            node: row.name.to_string(),
            fullness: self.tables.fullness(index),
            scoring: row.scoring,
        })
        .collect()
    }

    /// What of one node is in use; `None` where there is no such node.
    pub fn fullness_of(&self, node: &str) -> Option<Fullness> {
        let index = self.tables.nodes.find(node)?;
        self.tables.nodes.rows[index]
            .exists
            .then(|| self.tables.fullness(index))
    }

    /// The pods on nodes that are well which would not be placed there now, in the order of their nodes. What a node's
    /// condition says does not count, nor do taints that come from it: that passes, or pods are evicted for it.
    pub fn misplaced(&mut self) -> Vec<Misplaced> {
        let mut found = Vec::new();
        for (template, node, why) in self.tables.strained(|_, _| true) {
            let row = &self.tables.nodes.rows[node];
            let like = row.pods.iter().filter(|pod| {
                let row = &self.tables.pods.rows[**pod as usize];
                row.template as usize == template && !row.leaving
            });
            let template = &self.tables.templates.rows[template];
            let namespace = &self.tables.looks.rows[template.look].namespace;
            found.extend(like.map(|pod| Misplaced {
                pod: self.tables.pods.rows[*pod as usize].key(namespace),
                node: row.name.to_string(),
                why: why.clone(),
            }));
        }
        found
    }

    /// Moves a pod as far as these tables go: its replacement is placed while it is still there, then it goes. Where `accept`
    /// says no, or other pods would suffer, all is as before. Meant for a clone on which a plan is made.
    ///
    /// # Errors
    /// Why it was not moved.
    pub fn relocate(
        &mut self,
        pod: &Pod,
        accept: impl FnOnce(&Relocation) -> bool,
    ) -> Result<Relocation, Unmoved> {
        let from = pod.spec.node_name.clone();
        let bound = self.tables.has_bonds();
        let before = bound.then(|| self.tables.strained_bonds());
        let left = self.fullness_of(&from).unwrap_or_default();
        let probe = replacement(pod);
        let to = match self.schedule(&[&probe]).pop().map(|decision| decision.outcome) {
            Some(Outcome::Bind { node }) => node,
            outcome => {
                self.remove_pod(&probe.metadata.uid);
                let why = outcome.and_then(|outcome| outcome.explanation().cloned());
                return Err(why.map_or(Unmoved::Stays, |why| Unmoved::NoRoom(Box::new(why))));
            }
        };
        let there = self.fullness_of(&to).unwrap_or_default();
        self.remove_pod(&pod.metadata.uid);
        let move_ = Relocation {
            left: [left, self.fullness_of(&from).unwrap_or_default()],
            joined: [self.without(&probe, &to), there],
            from,
            to,
        };
        let harms = |scheduler: &mut Self| {
            before.is_some_and(|before| !scheduler.tables.strained_bonds().is_subset(&before))
        };
        let refused = if move_.from == move_.to {
            Some(Unmoved::Stays)
        } else if !accept(&move_) {
            Some(Unmoved::Unwanted(move_.clone()))
        } else if harms(self) {
            Some(Unmoved::Harms(move_.clone()))
        } else {
            None
        };
        let Some(refused) = refused else { return Ok(move_) };
        self.remove_pod(&probe.metadata.uid);
        self.pod(pod);
        Err(refused)
    }

    /// What of a node would be in use if this pod of it were not there.
    fn without(&mut self, pod: &Pod, node: &str) -> Fullness {
        let Some(placed) = self.tables.pods.find(&pod.metadata.uid) else {
            return self.fullness_of(node).unwrap_or_default();
        };
        self.tables.weigh(placed, -1);
        let fullness = self.fullness_of(node).unwrap_or_default();
        self.tables.weigh(placed, 1);
        fullness
    }
}

/// The pod as its owner makes it again. It takes nobody's place.
fn replacement(pod: &Pod) -> Pod {
    let mut probe = pod.clone();
    probe.metadata.uid = format!("{}/replacement", pod.metadata.uid);
    probe.spec.node_name.clear();
    probe.spec.preemption_policy = Some(PreemptionPolicy::Never);
    probe.status = Default::default();
    probe
}

impl Tables {
    fn fullness(&self, node: usize) -> Fullness {
        let share = |at: usize, id| {
            let whole = i128::from(self.nodes.allocatable(id, node)).max(1);
            let part = i128::from(self.nodes.in_use(at, node)).max(0) * i128::from(WHOLE);
            u64::try_from(part / whole).unwrap_or(u64::MAX)
        };
        Fullness {
            cpu: share(0, CPU),
            memory: share(1, MEMORY),
        }
    }

    /// True where some template says which other pods must be where.
    fn has_bonds(&self) -> bool {
        self.templates
            .rows
            .iter()
            .any(|(_, template)| template.has_bonds())
    }

    /// Kinds of pods that say where others must be, and the nodes where that does not hold for them.
    fn strained_bonds(&mut self) -> BTreeSet<(usize, usize)> {
        let strained = self.strained(|_, template| template.has_bonds());
        strained
            .into_iter()
            .map(|(template, node, _)| (template, node))
            .collect()
    }

    /// Kinds of pods, the nodes where such a pod would not be placed though one is there, and why: one of them is looked at as if
    /// it were nowhere.
    fn strained(&mut self, asked: impl Fn(&Self, &Template) -> bool) -> Vec<(usize, usize, Rejection)> {
        let mut found = Vec::new();
        let nodes: Vec<usize> = self.nodes.existing().map(|(index, _)| index).collect();
        for node in nodes {
            let mut kinds: Vec<(usize, u32)> = self.nodes.rows[node]
                .pods
                .iter()
                .map(|pod| (self.pods.rows[*pod as usize].template as usize, *pod))
                .collect();
            kinds.sort_unstable();
            kinds.dedup_by_key(|(template, _)| *template);
            for (template, pod) in kinds {
                if !asked(self, &self.templates.rows[template]) || self.surely_fits(template, node) {
                    continue;
                }
                let promised_twice = |id| self.nodes.free(id, node) < 0;
                let overcommitted = self.templates.rows[template]
                    .load
                    .amounts
                    .iter()
                    .any(|(id, _)| promised_twice(*id));
                self.weigh(pod as usize, -1);
                let kind = &self.templates.rows[template];
                let rules = Rules::of(self, kind);
                let mut first = None;
                self.obstacles(kind, &rules, node, &mut |obstacle| {
                    first = first.or(Some(obstacle));
                });
                let why = first
                    .filter(|obstacle| !passes(obstacle, overcommitted))
                    .map(|obstacle| self.rejection(kind, obstacle));
                self.weigh(pod as usize, 1);
                found.extend(why.map(|why| (template, node, why)));
            }
        }
        found
    }

    /// What a glance tells: nothing about the node is against it, nothing is promised twice, and no other pod matters.
    fn surely_fits(&self, template: usize, node: usize) -> bool {
        let kind = &self.templates.rows[template];
        let enough = |(id, _): &(usize, i64)| self.nodes.free(*id, node) >= 0;
        let repelled = |term: &usize| self.terms.rows[*term].repelled.total() != 0;
        self.stands(kind, node)
            && kind.load.amounts.iter().all(enough)
            && !kind.has_bonds()
            && kind.load.ports.is_empty()
            && !self.nodes.reserved.get(node)
            && !self.looks.rows[kind.look].terms.iter().any(repelled)
    }
}

/// What is no reason to move a pod: a node's condition, and room or ports that are kept for another.
fn passes(obstacle: &Obstacle<'_>, overcommitted: bool) -> bool {
    match obstacle {
        Obstacle::Resource(_) => !overcommitted,
        Obstacle::Cordoned | Obstacle::NotReady | Obstacle::OtherNode | Obstacle::HostPort(_) => true,
        Obstacle::Taint(key, ..) => key.starts_with(CONDITIONS),
        _ => false,
    }
}
