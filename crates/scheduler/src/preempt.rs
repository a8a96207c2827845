//! Which pods of lower priority would have to go, and where that costs least.

use std::{cmp::Reverse, collections::BinaryHeap};

use crate::{
    budget::Left,
    group::Touched,
    load::{HostPort, Load},
    resource::ResourceId,
    rules::Rules,
    tables::Tables,
    template::Template,
};

/// The nodes on which a group could make room, the cheapest first.
#[derive(Default)]
pub(crate) struct Preemption {
    heap: BinaryHeap<Reverse<Entry>>,
    /// How much of the batch's log is in the heap; `None` before the first scan.
    seen: Option<usize>,
    /// How many of the pods placed in the batch are known.
    placed: usize,
}

/// What making room costs, the gravest first: disruption budgets violated, the highest priority that goes, the sum of
/// priorities, the number of pods, and how long the most important of them has been running.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Cost {
    violations: usize,
    highest: i64,
    sum: i64,
    pods: usize,
    since: Reverse<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    cost: Cost,
    rank: u32,
    node: usize,
    /// Outdated where the node was touched since.
    version: u32,
    /// To be looked at again where budgets have changed since; they only get smaller, so costs only rise.
    budgets: u64,
}

/// Pods that are to go from a node; those that a budget had nothing left for are marked.
pub(crate) struct Plan {
    pub(crate) node: usize,
    pub(crate) victims: Vec<(u32, bool)>,
}

/// What making room would help.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Useless {
    /// True where the pod may not take the place of others.
    pub(crate) forbidden: bool,
    /// Nodes that would do and have no pod of lower priority.
    pub(crate) none_lower: usize,
    /// Nodes that would do and would have no room even without all pods of lower priority.
    pub(crate) not_enough: usize,
}

impl Preemption {
    /// Where to make room for a pod of this template, if that helps anywhere. A node on which everything that stands in the
    /// way is leaving already is best, and `hint` is best among those.
    pub(crate) fn plan(
        &mut self,
        tables: &mut Tables,
        (template, rules): (&Template, &Rules),
        touched: &Touched,
        hint: Option<usize>,
    ) -> Option<Plan> {
        if !template.preempts || !tables.has_lower(template.priority) {
            return None;
        }
        let hinted = hint.filter(|node| tables.stands(template, *node));
        if let Some((_, plan)) = hinted.and_then(|node| tables.room_on(template, rules, node))
            && plan.victims.is_empty()
        {
            return Some(plan);
        }
        if self.outdated(tables, rules, touched) {
            self.seen = None;
        }
        self.refresh(tables, template, rules, touched);
        self.cheapest(tables, template, rules, touched)
    }

    /// True where a pod was placed since that counts in a rule about other pods: it may matter on any node. What is sent away
    /// counts until it is gone, and where room is kept nobody is yet.
    fn outdated(&mut self, tables: &Tables, rules: &Rules, touched: &Touched) -> bool {
        let since = std::mem::replace(&mut self.placed, touched.placed.len());
        touched.placed[since..].iter().any(|template| {
            let template = &tables.templates.rows[*template];
            let counts = |term: usize| rules.hard.iter().any(|rule| rule.term == term);
            let look = &tables.looks.rows[template.look];
            look.terms.iter().chain(&template.anti).any(|term| counts(*term))
        })
    }

    fn refresh(&mut self, tables: &mut Tables, template: &Template, rules: &Rules, touched: &Touched) {
        let nodes: Vec<usize> = match self.seen {
            Some(seen) if touched.log.len() - seen < tables.nodes.rows.len().max(1) => {
                touched.log[seen..].to_vec()
            }
            _ => {
                self.heap.clear();
                tables.nodes.existing().map(|(node, _)| node).collect()
            }
        };
        for node in nodes
            .into_iter()
            .filter(|node| tables.stands(template, *node))
            .collect::<Vec<_>>()
        {
            self.push(tables, template, rules, touched, node);
        }
        self.seen = Some(touched.log.len());
    }

    fn push(
        &mut self,
        tables: &mut Tables,
        template: &Template,
        rules: &Rules,
        touched: &Touched,
        node: usize,
    ) {
        if let Some((cost, _)) = tables.room_on(template, rules, node) {
            self.heap.push(Reverse(Entry {
                cost,
                rank: tables.nodes.rank(node),
                node,
                version: touched.version(node),
                budgets: tables.budgets.epoch,
            }));
        }
    }

    fn cheapest(
        &mut self,
        tables: &mut Tables,
        template: &Template,
        rules: &Rules,
        touched: &Touched,
    ) -> Option<Plan> {
        while let Some(Reverse(top)) = self.heap.peek().copied() {
            if top.version != touched.version(top.node) {
                self.heap.pop();
            } else if top.budgets != tables.budgets.epoch {
                self.heap.pop();
                self.push(tables, template, rules, touched, top.node);
            } else {
                return tables.room_on(template, rules, top.node).map(|(_, plan)| plan);
            }
        }
        None
    }
}

impl Tables {
    fn has_lower(&self, priority: i32) -> bool {
        self.pods
            .priorities
            .first_key_value()
            .is_some_and(|(lowest, _)| *lowest < priority)
    }

    /// Why making room does not help; `None` where nothing has a lower priority.
    pub(crate) fn useless(&self, template: &Template) -> Option<Useless> {
        if !self.has_lower(template.priority) {
            return None;
        }
        let mut useless = Useless {
            forbidden: !template.preempts,
            ..Useless::default()
        };
        for (node, row) in self.nodes.existing() {
            if !useless.forbidden && self.stands(template, node) {
                let lower = row
                    .pods
                    .iter()
                    .any(|pod| self.placed(*pod).1.priority < template.priority);
                *(if lower {
                    &mut useless.not_enough
                } else {
                    &mut useless.none_lower
                }) += 1;
            }
        }
        Some(useless)
    }

    /// What it would take for the pod to fit on a node that would do. The tables are as before afterwards.
    fn room_on(&mut self, template: &Template, rules: &Rules, node: usize) -> Option<(Cost, Plan)> {
        let mut lower: Vec<u32> = self.nodes.rows[node].pods.clone();
        lower.retain(|pod| self.placed(*pod).1.priority < template.priority);
        if lower.is_empty() {
            return None;
        }
        let order = self.by_importance(&lower);
        let victims = if rules.hard.is_empty() {
            self.victims_by_room(template, node, &lower, &order)?
        } else {
            self.victims_by_trial(template, rules, node, &lower, &order)?
        };
        let cost = self.cost(&victims);
        Some((cost, Plan { node, victims }))
    }

    /// Those that are not leaving already, in the order in which they are let stay: first those whose budget has nothing
    /// left for them, then the others, each the most important first.
    fn by_importance(&self, lower: &[u32]) -> Vec<(u32, bool)> {
        let mut order: Vec<u32> = lower
            .iter()
            .copied()
            .filter(|pod| !self.placed(*pod).0.leaving)
            .collect();
        let importance = |pod: &u32| {
            let (row, template) = self.placed(*pod);
            let namespace = self.looks.rows[template.look].namespace.as_str();
            (Reverse(template.priority), row.since, namespace, &*row.name)
        };
        order.sort_by(|a, b| importance(a).cmp(&importance(b)));
        if self.budgets.is_empty() {
            return order.into_iter().map(|pod| (pod, false)).collect();
        }
        let mut left = Left::default();
        let mut marked: Vec<(u32, bool)> = order
            .into_iter()
            .map(|pod| {
                (
                    pod,
                    self.budgets
                        .take(&self.looks.rows[self.placed(pod).1.look], &mut left),
                )
            })
            .collect();
        marked.sort_by_key(|(_, violates)| !violates);
        marked
    }

    /// Whom to send away where only room matters.
    fn victims_by_room(
        &self,
        template: &Template,
        node: usize,
        lower: &[u32],
        order: &[(u32, bool)],
    ) -> Option<Vec<(u32, bool)>> {
        let mut left: Vec<(ResourceId, i128)> = Vec::with_capacity(template.load.amounts.len());
        for (id, wanted) in &template.load.amounts {
            let gained: i128 = lower
                .iter()
                .map(|pod| amount(&self.placed(*pod).1.load, *id))
                .sum();
            left.push((
                *id,
                i128::from(self.room(template, *id, node)) + gained - i128::from(*wanted),
            ));
        }
        if left.iter().any(|(_, amount)| *amount < 0) || !self.ports_without(template, node, lower) {
            return None;
        }
        let mut victims = Vec::new();
        for (pod, violates) in order {
            let load = &self.placed(*pod).1.load;
            let stays = left.iter().all(|(id, left)| amount(load, *id) <= *left)
                && !clash(&template.load.ports, &load.ports);
            if stays {
                left.iter_mut().for_each(|(id, left)| *left -= amount(load, *id));
            } else {
                victims.push((*pod, *violates));
            }
        }
        Some(victims)
    }

    /// Whether nobody but these pods has a port that the pod wants.
    fn ports_without(&self, template: &Template, node: usize, lower: &[u32]) -> bool {
        let wanted = &template.load.ports;
        if wanted.is_empty() {
            return true;
        }
        let row = &self.nodes.rows[node];
        let staying = row
            .pods
            .iter()
            .filter(|pod| !lower.contains(pod))
            .map(|pod| &self.placed(*pod).1.load);
        let kept = row
            .nominated
            .iter()
            .filter(|one| one.priority >= template.priority)
            .map(|one| &one.load);
        !staying.chain(kept).any(|load| clash(wanted, &load.ports))
    }

    /// Whom to send away where other rules matter too: all are taken out, and each is put back who may stay.
    fn victims_by_trial(
        &mut self,
        template: &Template,
        rules: &Rules,
        node: usize,
        lower: &[u32],
        order: &[(u32, bool)],
    ) -> Option<Vec<(u32, bool)>> {
        let epoch = self.terms.epoch;
        lower.iter().for_each(|pod| self.weigh(*pod as usize, -1));
        let mut victims = Vec::new();
        let fits = self.fits(template, rules, node);
        for (pod, violates) in order.iter().filter(|_| fits) {
            self.weigh(*pod as usize, 1);
            if !self.fits(template, rules, node) {
                self.weigh(*pod as usize, -1);
                victims.push((*pod, *violates));
            }
        }
        let out = lower.iter().filter(|pod| {
            let is_victim = victims.iter().any(|(victim, _)| victim == *pod);
            let stayed = order.iter().any(|(one, _)| one == *pod);
            !fits || is_victim || !stayed
        });
        out.for_each(|pod| self.weigh(*pod as usize, 1));
        // All is as it was, so nobody needs to look again.
        self.terms.epoch = epoch;
        if !fits {
            return None;
        }
        victims.sort_by_key(|(pod, _)| order.iter().position(|(one, _)| one == pod));
        Some(victims)
    }

    fn cost(&self, victims: &[(u32, bool)]) -> Cost {
        let priorities = victims
            .iter()
            .map(|(pod, _)| i64::from(self.placed(*pod).1.priority));
        let highest = priorities.clone().max();
        let most_important = victims
            .iter()
            .filter(|(pod, _)| Some(i64::from(self.placed(*pod).1.priority)) == highest);
        Cost {
            violations: victims.iter().filter(|(_, violates)| *violates).count(),
            highest: highest.unwrap_or(i64::MIN),
            // Counted from the lowest there is, so that more pods never cost less.
            sum: priorities
                .map(|priority| priority - i64::from(i32::MIN) + 1)
                .sum(),
            pods: victims.len(),
            since: Reverse(
                most_important
                    .map(|(pod, _)| self.placed(*pod).0.since)
                    .min()
                    .unwrap_or(i64::MAX),
            ),
        }
    }
}

fn amount(load: &Load, id: ResourceId) -> i128 {
    let found = load.amounts.iter().find(|(other, _)| *other == id);
    found.map_or(0, |(_, amount)| i128::from(*amount))
}

fn clash(wanted: &[HostPort], taken: &[HostPort]) -> bool {
    wanted
        .iter()
        .any(|port| taken.iter().any(|other| other.conflicts(port)))
}
