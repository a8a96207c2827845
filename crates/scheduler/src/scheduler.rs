//! The scheduler's face: facts in, decisions out.

use std::{cmp::Reverse, collections::BTreeMap};

use skep_api::{Node, Pod, Resource};

use crate::{
    batch::Batch,
    decision::{Decision, Outcome},
    explain::Explanation,
    filter::Rejection,
    rules::Rules,
    settings::{Budget, SchedulerSettings},
    tables::Tables,
};

/// Places pods on nodes, from tables that are fed by changes.
///
/// Feed every change of a node, pod, namespace or disruption budget before [`Scheduler::schedule`]: pods that are bound and
/// not ended take up room, and pods that wait with a nominated node have room kept for them there. A clone is independent:
/// what is tried on it leaves no trace here.
#[derive(Clone, Debug, Default)]
pub struct Scheduler {
    pub(crate) tables: Tables,
}

impl Scheduler {
    /// A scheduler that knows no node and no pod.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes note of how nodes are to be chosen.
    pub fn settings(&mut self, settings: SchedulerSettings) {
        self.tables.settings = settings;
        self.tables.nodes.set_scoring(&self.tables.settings);
    }

    /// Takes note of a node that is new or has changed.
    pub fn node(&mut self, node: &Node) {
        self.tables.node(node);
    }

    /// Takes note of a node that is gone. Its pods are remembered, should it come back.
    pub fn remove_node(&mut self, name: &str) {
        self.tables.remove_node(name);
    }

    /// Takes note of a pod that is new or has changed. One that is bound nowhere or has ended takes up no room.
    pub fn pod(&mut self, pod: &Pod) {
        self.tables.pod(pod);
    }

    /// As [`Scheduler::pod`], of a pod that was noted as `before`: most changes are of a status, or the place that was decided
    /// here, and cost next to nothing.
    pub fn pod_changed(&mut self, before: &Pod, pod: &Pod) {
        self.tables.pod_changed(before, pod);
    }

    /// Takes note of a pod that is gone, or of a decision about it that was not carried out.
    pub fn remove_pod(&mut self, uid: &str) {
        self.tables.forget_nomination(uid);
        self.tables.remove_pod(uid);
    }

    /// Takes note of a namespace's labels, which `namespaceSelector` asks for.
    pub fn namespace(&mut self, name: &str, labels: &BTreeMap<String, String>) {
        self.tables.namespace(name, Some(labels.clone()));
    }

    /// Takes note of a namespace that is gone.
    pub fn remove_namespace(&mut self, name: &str) {
        self.tables.namespace(name, None);
    }

    /// Takes note of what a disruption budget has left. Victims are taken out of it until it is fed again.
    pub fn budget(&mut self, budget: &Budget) {
        self.tables.budgets.set(budget);
    }

    /// Takes note of a disruption budget that is gone.
    pub fn remove_budget(&mut self, namespace: &str, name: &str) {
        self.tables.budgets.remove(namespace, name);
    }

    /// Decides for each pending pod where it goes: pods of higher priority first, and among equals in this order. The
    /// decisions come in the order of the pods given.
    ///
    /// They count at once: a pod that is placed takes up room, and where room is being made for one it is kept and its
    /// victims count as leaving. What is not carried out must be taken back with [`Scheduler::pod`] (of the pod, and of
    /// victims that stay) or [`Scheduler::remove_pod`].
    pub fn schedule(&mut self, pending: &[&Pod]) -> Vec<Decision> {
        for pod in pending {
            self.tables.remove_pod(&pod.metadata.uid);
        }
        let priority = |pod: &&Pod| Reverse(pod.spec.effective_priority());
        let mut batch = Batch::new(&mut self.tables);
        let decisions = if pending.is_sorted_by_key(priority) {
            let decide = pending.iter().copied();
            decide
                .map(|pod| decision(pod, batch.place(pod, &mut self.tables)))
                .collect()
        } else {
            let mut order: Vec<usize> = (0..pending.len()).collect();
            order.sort_by_key(|index| priority(&pending[*index]));
            let mut placed = BTreeMap::new();
            for index in order {
                let pod = pending[index];
                placed.insert(index, decision(pod, batch.place(pod, &mut self.tables)));
            }
            placed.into_values().collect()
        };
        batch.finish(&mut self.tables);
        decisions
    }

    /// True where a pod that is placed may help another one that fits nowhere: some pod must be near others, or evenly spread.
    pub fn placing_may_help(&self) -> bool {
        let templates = &self.tables.templates.rows;
        templates
            .iter()
            .any(|(_, template)| !template.affinity.is_empty() || !template.even.is_empty())
    }

    /// What [`Scheduler::schedule`] would decide, without anything being changed: for plans, autoscaling, rebalancing.
    pub fn what_if(&self, pending: &[&Pod]) -> Vec<Decision> {
        self.clone().schedule(pending)
    }

    /// Whether the pod may be placed on this node as things are, without placing it.
    ///
    /// # Errors
    /// What stands against it; empty where there is no such node.
    pub fn check(&mut self, pod: &Pod, node: &str) -> Result<(), Vec<Rejection>> {
        let mut rejections = Vec::new();
        let known = self.with(pod, node, |tables, template, rules, index| {
            let template = &tables.templates.rows[template];
            tables.obstacles(template, rules, index, &mut |obstacle| {
                rejections.push(tables.rejection(template, obstacle));
            });
        });
        match known {
            Some(()) if rejections.is_empty() => Ok(()),
            _ => Err(rejections),
        }
    }

    /// How well this node suits the pod, in marks; larger is better, and only marks for one pod compare. `None` where it does
    /// not fit there. A pod that is placed somewhere is taken as if it were not.
    pub fn score_of(&mut self, pod: &Pod, node: &str) -> Option<i64> {
        self.with(pod, node, |tables, template, rules, index| {
            let template = &tables.templates.rows[template];
            let fits = tables.fits(template, rules, index);
            fits.then(|| tables.all_marks(template, rules, index))
        })?
    }

    /// Why the pod fits on no node as things are; `None` where it fits on one.
    pub fn explain(&mut self, pod: &Pod) -> Option<Explanation> {
        let decision = self.what_if(&[pod]).pop()?;
        decision.outcome.explanation().cloned()
    }

    /// Looks at a pod and a node that exists, the pod being nowhere meanwhile and holding no room.
    fn with<T>(
        &mut self,
        pod: &Pod,
        node: &str,
        look: impl FnOnce(&Tables, usize, &Rules, usize) -> T,
    ) -> Option<T> {
        let tables = &mut self.tables;
        let index = tables
            .nodes
            .find(node)
            .filter(|index| tables.nodes.rows[*index].exists)?;
        let template = tables.template(pod);
        tables.templates.hold(template);
        let placed = tables.pods.find(&pod.metadata.uid);
        placed.into_iter().for_each(|placed| tables.weigh(placed, -1));
        let nominated = tables.take_nomination(&pod.metadata.uid);
        let rules = Rules::of(tables, &tables.templates.rows[template]);
        let seen = look(tables, template, &rules, index);
        nominated
            .into_iter()
            .for_each(|nominated| tables.put_nomination(nominated));
        placed.into_iter().for_each(|placed| tables.weigh(placed, 1));
        tables.release(template);
        Some(seen)
    }
}

fn decision(pod: &Pod, outcome: Outcome) -> Decision {
    Decision {
        key: pod.key(),
        uid: pod.metadata.uid.clone(),
        outcome,
    }
}

#[cfg(test)]
mod tests {
    use skep_testkit::{node, pod, replica_set};

    use super::*;

    #[test]
    fn a_pod_that_is_bound_runs_changes_and_ends_counts_as_if_each_version_were_new() {
        let waits = pod("web").cpu("600m").label("app", "web");
        let bound = || pod("web").cpu("600m").label("app", "web").node("a");
        let versions = [
            waits.build(),
            bound().build(),
            bound().ready().build(),
            bound().ready().label("app", "other").build(),
            bound()
                .ready()
                .label("app", "other")
                .deleting(skep_testkit::at(5))
                .build(),
            bound().succeeded().build(),
        ];
        let (mut told, mut changed) = (Scheduler::new(), Scheduler::new());
        for scheduler in [&mut told, &mut changed] {
            scheduler.node(&node("a").cpu("1").build());
            scheduler.schedule(&[&versions[0]]);
        }
        for (before, after) in versions.iter().zip(&versions[1..]) {
            told.pod(after);
            changed.pod_changed(before, after);
            let rows = |scheduler: &Scheduler| {
                let rows = scheduler.tables.pods.rows.iter();
                let rows = rows.map(|(_, row)| {
                    let look = scheduler.tables.templates.rows[row.template as usize].look;
                    let labels = scheduler.tables.looks.rows[look].labels.clone();
                    format!("{} {} {} {labels:?}", row.node, row.since, row.leaving)
                });
                rows.collect::<Vec<_>>()
            };
            assert_eq!(rows(&told), rows(&changed));
            let next = pod("next").cpu("600m").build();
            assert_eq!(
                told.what_if(&[&next])[0].outcome,
                changed.what_if(&[&next])[0].outcome
            );
        }
        assert!(changed.tables.pods.rows.iter().next().is_none());
    }

    #[test]
    fn nothing_is_kept_of_what_is_gone() {
        let mut scheduler = Scheduler::new();
        scheduler.node(&node("a").cpu("1").build());
        for index in 0..300 {
            let set = replica_set(&format!("set-{index}"), 1).build();
            let web = pod(&format!("web-{index}"))
                .label("n", &index.to_string())
                .cpu("200m")
                .owned_by(&set)
                .build();
            scheduler.schedule(&[&web]);
            scheduler.check(&pod("probe").cpu("50m").build(), "a").ok();
        }
        assert_eq!(scheduler.tables.pods.rows.len(), 5);
        for index in 0..300 {
            scheduler.remove_pod(&format!("pod-default-web-{index}"));
        }
        scheduler.remove_node("a");
        let tables = &scheduler.tables;
        assert_eq!((tables.pods.rows.len(), tables.nodes.rows.len()), (0, 0));
        assert!(
            tables.templates.rows.len() <= 65,
            "{}",
            tables.templates.rows.len()
        );
        assert!(tables.looks.rows.len() <= 65 && tables.loads.len() <= 2);
    }
}
