//! One batch of pending pods: pods of one template share one scan of the nodes.

use std::collections::BTreeMap;

use skep_api::Pod;

use crate::{
    decision::{Outcome, Victim},
    explain::Explanation,
    group::{Group, Touched},
    preempt::Plan,
    tables::Tables,
    template::alike,
};

/// The groups of one batch, and which nodes it has changed so far.
pub(crate) struct Batch<'a> {
    groups: Vec<Group>,
    by_template: BTreeMap<usize, usize>,
    last: Option<(&'a Pod, usize)>,
    touched: Touched,
}

impl<'a> Batch<'a> {
    pub(crate) fn new(tables: &mut Tables) -> Self {
        tables.nodes.order();
        Self {
            groups: Vec::new(),
            by_template: BTreeMap::new(),
            last: None,
            touched: Touched::new(tables.nodes.rows.bound()),
        }
    }

    /// Decides for a pod, and counts it in where it goes.
    pub(crate) fn place(&mut self, pod: &'a Pod, tables: &mut Tables) -> Outcome {
        let group = self.group_of(pod, tables);
        let template = self.groups[group].template;
        if !tables.templates.rows[template].gates.is_empty() {
            let why = Explanation::gated(tables, &tables.templates.rows[template]);
            return Outcome::Wait(Box::new(why));
        }
        let hint = self.give_up_nomination(pod, tables);
        self.groups[group].refresh(tables, &self.touched);
        if let Some(node) = self.node_for(group, hint, tables) {
            tables.place(pod, template, node, i64::MAX);
            self.touched.touch(node);
            self.touched.placed.push(template);
            let node = tables.nodes.rows[node].name.to_string();
            return Outcome::Bind { node };
        }
        self.make_room(pod, group, hint, tables)
    }

    /// Gives back what the groups have held.
    pub(crate) fn finish(self, tables: &mut Tables) {
        for group in self.groups {
            tables.release(group.template);
        }
    }

    fn group_of(&mut self, pod: &'a Pod, tables: &mut Tables) -> usize {
        let group = match self.last {
            Some((last, group)) if alike(last, pod) => group,
            _ => {
                let template = tables.template(pod);
                *self.by_template.entry(template).or_insert_with(|| {
                    tables.templates.hold(template);
                    self.groups.push(Group::new(template));
                    self.groups.len() - 1
                })
            }
        };
        self.last = Some((pod, group));
        group
    }

    /// The pod is decided anew: no room is kept for it meanwhile. Returns where some was.
    fn give_up_nomination(&mut self, pod: &Pod, tables: &mut Tables) -> Option<usize> {
        let node = tables.unnominate(&pod.metadata.uid);
        if let Some(node) = node {
            self.touched.touch(node);
            return Some(node);
        }
        let named = &pod.status.nominated_node_name;
        if named.is_empty() {
            None
        } else {
            tables.nodes.find(named)
        }
    }

    /// The node on which room was made for it, or else the best one.
    fn node_for(&mut self, group: usize, hint: Option<usize>, tables: &Tables) -> Option<usize> {
        let group = &mut self.groups[group];
        let template = &tables.templates.rows[group.template];
        let fits =
            |node: &usize| tables.stands(template, *node) && tables.fits(template, &group.rules, *node);
        hint.filter(fits).or_else(|| group.best(tables, &self.touched))
    }

    fn make_room(&mut self, pod: &Pod, group: usize, hint: Option<usize>, tables: &mut Tables) -> Outcome {
        let group = &mut self.groups[group];
        let template = tables.templates.rows[group.template].clone();
        let asked = (&template, &group.rules);
        let plan = group.preemption.plan(tables, asked, &self.touched, hint);
        let preempting = plan.is_some();
        let why = Box::new(Self::explain(group, &self.touched, tables, preempting));
        let Some(plan) = plan else {
            return Outcome::Wait(why);
        };
        let victims = send_away(tables, &plan);
        tables.nominate(&pod.metadata.uid, group.template, plan.node);
        self.touched.touch(plan.node);
        Outcome::Preempt {
            node: tables.nodes.rows[plan.node].name.to_string(),
            victims,
            why,
        }
    }

    /// The group's explanation; that of the pod before where nothing has changed since. For pods that get room made it is that
    /// of the first of them in the batch: looking at all nodes again for each would cost more than all the rest.
    fn explain(group: &mut Group, touched: &Touched, tables: &Tables, preempting: bool) -> Explanation {
        let at = touched.log.len();
        if let Some((then, explanation)) = &group.explained[usize::from(preempting)]
            && (preempting || *then == at)
        {
            return explanation.clone();
        }
        let template = &tables.templates.rows[group.template];
        let explanation = Explanation::of(tables, template, &group.rules, preempting);
        group.explained[usize::from(preempting)] = Some((at, explanation.clone()));
        explanation
    }
}

/// Marks the pods as leaving, and takes them out of their budgets.
fn send_away(tables: &mut Tables, plan: &Plan) -> Vec<Victim> {
    let mut victims = Vec::with_capacity(plan.victims.len());
    for (pod, violates_budget) in &plan.victims {
        tables.pods.rows[*pod as usize].leaving = true;
        let (row, template) = tables.placed(*pod);
        let look = &tables.looks.rows[template.look];
        victims.push(Victim {
            key: row.key(&look.namespace),
            uid: row.uid.to_string(),
            priority: template.priority,
            violates_budget: *violates_budget,
        });
        tables.budgets.spend(look);
    }
    victims
}
