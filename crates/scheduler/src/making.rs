//! Templates and terms come and go here.

use std::{fmt::Write as _, sync::Arc};

use skep_api::{
    NodeInclusionPolicy, Pod, PodAffinityTerm, TopologySpreadConstraint, UnsatisfiableConstraintAction,
};

use crate::{
    load::Load,
    tables::Tables,
    template::{Even, Template, affinity_part, demands, demands_identity, pinned, spread_part},
    term::{Eligible, Part},
};

impl Tables {
    /// What the pod asks for and brings with it.
    pub(crate) fn make_template(&mut self, pod: &Pod, wanted: &str, load: Load) -> Template {
        let load = self.share(load);
        let (meta, spec) = (&pod.metadata, &pod.spec);
        let (look, new) = self.looks.hold(&meta.namespace, &meta.labels, meta.is_deleting());
        if new {
            let terms = self.terms.selecting(&self.looks.rows[look], &self.namespaces);
            self.looks.rows[look].terms = terms;
        }
        let pinned = pinned(spec, wanted);
        let tabled = pinned.is_none();
        let rows = self.nodes.rows.iter().filter(|(_, row)| row.exists);
        let standing = self
            .standings
            .hold(&demands_identity(spec, tabled), || demands(spec), tabled, rows);
        let mut template = Template::plain(pod, load, look, standing);
        template.named = !wanted.is_empty();
        template.pinned = pinned;
        template.owner = match meta.controller() {
            Some(owner) if !meta.is_deleting() => Some(self.owners.hold(&owner.uid)),
            _ => None,
        };
        template.images = self
            .images
            .hold(spec.containers.iter().map(|container| container.image.as_str()));
        self.add_affinity(&mut template, pod);
        self.add_spread(&mut template, pod);
        template
    }

    fn share(&mut self, load: Load) -> Arc<Load> {
        if let Some(shared) = self.loads.get(&load) {
            return Arc::clone(shared);
        }
        let shared = Arc::new(load);
        self.loads.insert(Arc::clone(&shared));
        shared
    }

    fn add_affinity(&mut self, template: &mut Template, pod: &Pod) {
        let Some(affinity) = &pod.spec.affinity else {
            return;
        };
        if let Some(near) = &affinity.pod_affinity {
            let required = &near.required_during_scheduling_ignored_during_execution;
            self.add_required(template, required, pod);
            for weighted in &near.preferred_during_scheduling_ignored_during_execution {
                let weight = i64::from(weighted.weight);
                self.add_preferred(template, &weighted.pod_affinity_term, weight, pod);
            }
        }
        if let Some(away) = &affinity.pod_anti_affinity {
            for term in &away.required_during_scheduling_ignored_during_execution {
                let parts = affinity_part(term, pod).into_iter().collect();
                let term = self.hold_term(&term.topology_key, parts, None);
                template.anti.push(term);
            }
            for weighted in &away.preferred_during_scheduling_ignored_during_execution {
                let weight = -i64::from(weighted.weight);
                self.add_preferred(template, &weighted.pod_affinity_term, weight, pod);
            }
        }
    }

    /// What is near must be selected by all required terms; it likes the pod as well, a little.
    fn add_required(&mut self, template: &mut Template, required: &[PodAffinityTerm], pod: &Pod) {
        let parts: Vec<Option<Part>> = required.iter().map(|term| affinity_part(term, pod)).collect();
        let all: Vec<Part> = if parts.iter().all(Option::is_some) {
            parts.iter().flatten().cloned().collect()
        } else {
            Vec::new()
        };
        let look = &self.looks.rows[template.look];
        let selects_itself = |part: &Part| part.selects(look, &self.namespaces);
        template.self_affine = !all.is_empty() && all.iter().all(selects_itself);
        for (term, part) in required.iter().zip(parts) {
            let held = self.hold_term(&term.topology_key, all.clone(), None);
            template.affinity.push(held);
            let held = self.hold_term(&term.topology_key, part.into_iter().collect(), None);
            template.draws.push((held, 1));
        }
    }

    fn add_preferred(&mut self, template: &mut Template, term: &PodAffinityTerm, weight: i64, pod: &Pod) {
        for list in [&mut template.prefers, &mut template.draws] {
            let parts = affinity_part(term, pod).into_iter().collect();
            list.push((self.hold_term(&term.topology_key, parts, None), weight));
        }
    }

    fn add_spread(&mut self, template: &mut Template, pod: &Pod) {
        let constraints = &pod.spec.topology_spread_constraints;
        let (hard, soft): (Vec<_>, Vec<_>) = constraints.iter().partition(|constraint| {
            constraint.when_unsatisfiable == UnsatisfiableConstraintAction::DoNotSchedule
        });
        for (list, constraints) in [(&mut template.even, hard), (&mut template.soft_even, soft)] {
            let keys: Vec<String> = constraints.iter().map(|one| one.topology_key.clone()).collect();
            for constraint in constraints {
                let parts: Vec<Part> = spread_part(constraint, pod).into_iter().collect();
                let eligible = self.eligible(constraint, &keys, template.standing);
                let term = self.hold_term(&constraint.topology_key, parts, Some(eligible));
                let look = &self.looks.rows[template.look];
                list.push(Even {
                    term,
                    max_skew: constraint.max_skew.max(1).into(),
                    min_places: constraint.min_domains.map_or(0, |min| min.max(0).unsigned_abs()),
                    own: i64::from(self.terms.rows[term].selects(look, &self.namespaces)),
                });
            }
        }
    }

    fn eligible(&self, constraint: &TopologySpreadConstraint, keys: &[String], standing: usize) -> Eligible {
        let other = |key: &&String| **key != constraint.topology_key;
        let mut keys: Vec<String> = keys.iter().filter(other).cloned().collect();
        keys.sort_unstable();
        keys.dedup();
        let honors = |policy| policy == NodeInclusionPolicy::Honor;
        let choosy = self.standings.rows[standing].demands.is_choosy();
        Eligible {
            keys,
            selected: (choosy && honors(constraint.node_affinity_policy)).then_some(standing),
            tolerated: honors(constraint.node_taints_policy).then_some(standing),
        }
    }

    fn hold_term(&mut self, key: &str, parts: Vec<Part>, eligible: Option<Eligible>) -> usize {
        let mut identity = key.to_owned();
        write!(identity, "{parts:?}{eligible:?}").expect("strings take everything");
        if let Some(index) = self.terms.find(&identity) {
            return index;
        }
        if let Some(standing) = eligible.as_ref().and_then(Eligible::standing) {
            self.standings.keep(standing);
        }
        let rows = self.nodes.rows.iter().filter(|(_, row)| row.exists);
        let topology = self
            .topologies
            .hold(key, rows.map(|(index, row)| (index, &row.labels)));
        let index = self.terms.insert(identity, topology, parts, eligible);
        let term = &mut self.terms.rows[index];
        if term.spread.is_some() {
            for (node, row) in self.nodes.rows.iter().filter(|(_, row)| row.exists) {
                term.judge(node, row, &self.standings);
                term.node_enters(self.topologies.place(topology, node), node);
            }
        }
        let anchor = term
            .parts
            .first()
            .and_then(|part| crate::look::anchor(&part.selector));
        for look in self.looks.with(anchor.as_ref()) {
            self.select_anew(index, look);
        }
        index
    }

    pub(crate) fn release_term(&mut self, index: usize) {
        let Some(gone) = self.terms.release(index) else {
            return;
        };
        self.topologies.release(gone.topology);
        let anchor = gone
            .parts
            .first()
            .and_then(|part| crate::look::anchor(&part.selector));
        for look in self.looks.with(anchor.as_ref()) {
            let terms = &mut self.looks.rows[look].terms;
            if let Ok(at) = terms.binary_search(&index) {
                terms.remove(at);
            }
        }
        if let Some(standing) = gone.spread.and_then(|spread| spread.rule.standing()) {
            self.standings.release(standing);
        }
    }
}
