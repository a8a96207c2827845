//! The scheduler's tables, and how they are kept in step with each other.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use skep_api::{Node, Pod};

use crate::{
    budget::Budgets,
    image::Images,
    load::{Load, takes_room},
    look::Looks,
    node::{Nodes, Nominated},
    owner::Owners,
    pods::{PodRow, Pods, since, small},
    resource::Resources,
    settings::SchedulerSettings,
    standing::Standings,
    template::{Template, Templates, alike_anywhere, identity},
    term::{Namespaces, Terms},
    topology::Topologies,
};

/// Templates that no pod has are kept in case the next one has: this many.
const IDLE_MAX: usize = 64;

/// Everything the scheduler knows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tables {
    pub(crate) resources: Resources,
    pub(crate) settings: SchedulerSettings,
    pub(crate) nodes: Nodes,
    pub(crate) pods: Pods,
    pub(crate) looks: Looks,
    pub(crate) owners: Owners,
    pub(crate) images: Images,
    pub(crate) standings: Standings,
    pub(crate) topologies: Topologies,
    pub(crate) terms: Terms,
    pub(crate) templates: Templates,
    pub(crate) namespaces: Namespaces,
    pub(crate) budgets: Budgets,
    /// Equal loads are kept once.
    pub(crate) loads: BTreeSet<Arc<Load>>,
    /// The node for which each pod is nominated, by uid.
    nominations: BTreeMap<Arc<str>, usize>,
    idle: VecDeque<usize>,
}

impl Tables {
    /// Takes note of a node that is new or has changed.
    pub(crate) fn node(&mut self, node: &Node) {
        let index = self.nodes.row(&node.metadata.name);
        let changed = self.nodes.compare(index, node);
        if changed.standing {
            self.count_node(index, -1);
        }
        self.nodes.set(index, node, &mut self.resources, &self.settings);
        self.images.node(index, &node.status.images, &mut self.nodes);
        if changed.standing {
            if changed.labels {
                self.topologies.node(index, Some(&self.nodes.rows[index].labels));
            }
            self.standings.node(index, Some(&self.nodes.rows[index]));
            self.count_node(index, 1);
        }
    }

    /// Takes note of a node that is gone. Its pods are remembered, should it come back.
    pub(crate) fn remove_node(&mut self, name: &str) {
        let Some(index) = self.nodes.find(name) else {
            return;
        };
        self.count_node(index, -1);
        self.images.node(index, &[], &mut self.nodes);
        self.nodes.rows[index].exists = false;
        self.topologies.node(index, None);
        self.standings.node(index, None);
        self.count_node(index, 1);
        self.drop_node_if_idle(index);
    }

    /// Counts a node and its pods in all terms, in (1) or out (-1).
    fn count_node(&mut self, index: usize, sign: i64) {
        if self.terms.rows.len() == 0 {
            return;
        }
        let pods = self.nodes.rows[index].pods.clone();
        if sign > 0 {
            self.enter_terms(index, 1);
        }
        for pod in pods {
            let template = self.pods.rows[pod as usize].template as usize;
            self.count(template, index, sign);
        }
        if sign < 0 {
            self.enter_terms(index, -1);
        }
    }

    fn enter_terms(&mut self, index: usize, sign: i64) {
        let node = &self.nodes.rows[index];
        let (topologies, standings) = (&self.topologies, &self.standings);
        for (_, term) in self.terms.rows.iter_mut() {
            let place = topologies.place(term.topology, index);
            if sign > 0 {
                term.judge(index, node, standings);
                term.node_enters(place, index);
            } else {
                term.node_leaves(place, index);
            }
        }
    }

    /// Takes note of a pod that is new or has changed. One that is bound nowhere or has ended takes up no room.
    pub(crate) fn pod(&mut self, pod: &Pod) {
        let uid = pod.metadata.uid.as_str();
        self.forget_nomination(uid);
        if !takes_room(pod) {
            self.remove_pod(uid);
            if !pod.status.nominated_node_name.is_empty() && !pod.is_terminal() && !pod.metadata.is_deleting()
            {
                self.nominate_by_name(pod);
            }
            return;
        }
        let template = self.template_of(pod, "");
        let node = self.nodes.row(&pod.spec.node_name);
        let known = self.pods.find(uid);
        if let Some(index) = known.filter(|index| self.is_as_before(*index, template, node)) {
            let row = &mut self.pods.rows[index];
            row.since = since(pod);
            row.leaving = pod.metadata.is_deleting();
            return;
        }
        self.templates.hold(template);
        self.remove_pod(uid);
        // The row may have gone with its only pod.
        let node = self.nodes.row(&pod.spec.node_name);
        self.place(pod, template, node, since(pod));
        self.release(template);
    }

    /// As [`Tables::pod`], for a pod whose version before is known: where it asks for and brings what it did, and is where it is
    /// known to be, its template need not be looked for.
    pub(crate) fn pod_changed(&mut self, before: &Pod, pod: &Pod) {
        let uid = pod.metadata.uid.as_str();
        let known = self.pods.find(uid).filter(|index| {
            let node = self.pods.rows[*index].node as usize;
            self.nodes.find(&pod.spec.node_name) == Some(node)
        });
        match known {
            Some(index) if takes_room(pod) && before.metadata.uid == uid && alike_anywhere(before, pod) => {
                self.forget_nomination(uid);
                let row = &mut self.pods.rows[index];
                row.since = since(pod);
                row.leaving = pod.metadata.is_deleting();
            }
            _ => self.pod(pod),
        }
    }

    fn is_as_before(&self, index: usize, template: usize, node: usize) -> bool {
        let row = &self.pods.rows[index];
        (row.template as usize, row.node as usize) == (template, node)
    }

    /// Takes note of a pod that is gone.
    pub(crate) fn remove_pod(&mut self, uid: &str) {
        let Some(index) = self.pods.find(uid) else { return };
        let (template, node) = (
            self.pods.rows[index].template as usize,
            self.pods.rows[index].node as usize,
        );
        self.weigh(index, -1);
        let look = self.templates.rows[template].look;
        let lists = (&mut self.nodes.rows[node].pods, &mut self.looks.rows[look].pods);
        self.pods.remove(index, lists);
        self.pods
            .count_priority(self.templates.rows[template].priority, -1);
        self.release(template);
        self.drop_node_if_idle(node);
    }

    /// Puts a pod on a node. It must not be there yet.
    pub(crate) fn place(&mut self, pod: &Pod, template: usize, node: usize, since: i64) {
        let look = self.templates.rows[template].look;
        let lists = (&mut self.nodes.rows[node].pods, &mut self.looks.rows[look].pods);
        let index = self
            .pods
            .insert(pod, (small(template), small(node)), since, lists);
        self.templates.hold(template);
        self.pods
            .count_priority(self.templates.rows[template].priority, 1);
        self.weigh(index, 1);
    }

    /// Counts in (1) or out (-1) all that a pod takes up and means to others, and leaves it in its lists.
    pub(crate) fn weigh(&mut self, index: usize, sign: i64) {
        let row = &self.pods.rows[index];
        let (template, node) = (row.template as usize, row.node as usize);
        let brought = &self.templates.rows[template];
        self.nodes.weigh(node, &brought.load, sign);
        if let Some(owner) = brought.owner {
            self.owners.count(owner, node, sign);
        }
        self.count(template, node, sign);
    }

    /// Counts a pod in the terms that select it and in those it holds.
    fn count(&mut self, template: usize, node: usize, sign: i64) {
        let template = &self.templates.rows[template];
        for term in &self.looks.rows[template.look].terms {
            self.terms.rows[*term].count(&self.topologies, node, sign);
        }
        for term in &template.anti {
            self.terms.repel(*term, &self.topologies, node, sign);
        }
        for (term, weight) in &template.draws {
            self.terms.draw(*term, &self.topologies, node, *weight, sign);
        }
    }

    /// The template of a pod that is to be placed.
    pub(crate) fn template(&mut self, pod: &Pod) -> usize {
        self.template_of(pod, &pod.spec.node_name)
    }

    /// The template of a pod that wants the node of this name, or any. Where a pod is already is not part of its template. It
    /// stays at least until the next one is asked for, if nobody holds it.
    fn template_of(&mut self, pod: &Pod, wanted: &str) -> usize {
        let load = Load::of(pod, &mut self.resources);
        let identity = identity(pod, wanted, &load);
        if let Some(index) = self.templates.find(&identity) {
            return index;
        }
        self.make_room_for_templates();
        let template = self.make_template(pod, wanted, load);
        let index = self.templates.insert(identity, template);
        self.idle.push_back(index);
        index
    }

    fn make_room_for_templates(&mut self) {
        while self.idle.len() >= IDLE_MAX {
            let Some(index) = self.idle.pop_front() else {
                return;
            };
            if self.templates.is_idle(index) {
                self.drop_template(index);
            }
        }
    }

    /// Lets go of a template that was held.
    pub(crate) fn release(&mut self, index: usize) {
        if self.templates.release(index) {
            self.make_room_for_templates();
            if self.templates.is_idle(index) && !self.idle.contains(&index) {
                self.idle.push_back(index);
            }
        }
    }

    fn drop_template(&mut self, index: usize) {
        let gone = self.templates.remove(index);
        for term in gone.terms() {
            self.release_term(term);
        }
        self.standings.release(gone.standing);
        self.looks.release(gone.look);
        if let Some(owner) = gone.owner {
            self.owners.release(owner);
        }
        self.images.release(&gone.images);
        // The tables' own reference, and this one.
        if Arc::strong_count(&gone.load) == 2 {
            self.loads.remove(&gone.load);
        }
    }

    fn nominate_by_name(&mut self, pod: &Pod) {
        let node = self.nodes.row(&pod.status.nominated_node_name);
        let template = self.template(pod);
        self.nominate(&pod.metadata.uid, template, node);
    }

    /// Keeps room on a node for a pod that waits.
    pub(crate) fn nominate(&mut self, uid: &str, template: usize, node: usize) {
        let uid: Arc<str> = uid.into();
        let template = &self.templates.rows[template];
        self.nominations.insert(Arc::clone(&uid), node);
        self.nodes.rows[node].nominated.push(Nominated {
            uid,
            priority: template.priority,
            load: Arc::clone(&template.load),
        });
        self.nodes.reserved.set(node, true);
    }

    /// Keeps no room for this pod any more; the node where there was some.
    pub(crate) fn unnominate(&mut self, uid: &str) -> Option<usize> {
        let node = self.nominations.remove(uid)?;
        let nominated = &mut self.nodes.rows[node].nominated;
        nominated.retain(|one| *one.uid != *uid);
        let some = !nominated.is_empty();
        self.nodes.reserved.set(node, some);
        Some(node)
    }

    /// Like [`Tables::unnominate`], and nothing remains of a node that is gone.
    pub(crate) fn forget_nomination(&mut self, uid: &str) {
        if let Some(node) = self.unnominate(uid) {
            self.drop_node_if_idle(node);
        }
    }

    /// Like [`Tables::unnominate`], to be put back afterwards.
    pub(crate) fn take_nomination(&mut self, uid: &str) -> Option<(usize, Nominated)> {
        let node = *self.nominations.get(uid)?;
        let row = &self.nodes.rows[node];
        let nominated = row.nominated.iter().find(|one| *one.uid == *uid).cloned()?;
        self.unnominate(uid);
        Some((node, nominated))
    }

    pub(crate) fn put_nomination(&mut self, (node, nominated): (usize, Nominated)) {
        self.nominations.insert(Arc::clone(&nominated.uid), node);
        self.nodes.rows[node].nominated.push(nominated);
        self.nodes.reserved.set(node, true);
    }

    fn drop_node_if_idle(&mut self, index: usize) {
        let row = &self.nodes.rows[index];
        if !row.exists && row.pods.is_empty() && row.nominated.is_empty() {
            self.nodes.forget(index);
        }
    }

    /// Takes note of a namespace's labels; `None` where it is gone.
    pub(crate) fn namespace(&mut self, name: &str, labels: Option<BTreeMap<String, String>>) {
        let by_label =
            |term: &crate::term::Term| term.parts.iter().any(|part| part.namespace_selector.is_some());
        let terms: Vec<usize> = self
            .terms
            .rows
            .iter()
            .filter(|(_, term)| by_label(term))
            .map(|(index, _)| index)
            .collect();
        let looks = self.looks.rows.iter().filter(|(_, look)| look.namespace == name);
        let looks: Vec<usize> = looks.map(|(index, _)| index).collect();
        match labels {
            Some(labels) => drop(self.namespaces.insert(name.to_owned(), labels)),
            None => drop(self.namespaces.remove(name)),
        }
        for term in terms {
            for look in &looks {
                self.select_anew(term, *look);
            }
        }
    }

    /// Decides again whether a term selects a look, and counts its pods accordingly.
    pub(crate) fn select_anew(&mut self, term: usize, look: usize) {
        let selects = self.terms.rows[term].selects(&self.looks.rows[look], &self.namespaces);
        let terms = &mut self.looks.rows[look].terms;
        let sign = match (terms.binary_search(&term), selects) {
            (Err(at), true) => {
                terms.insert(at, term);
                1
            }
            (Ok(at), false) => {
                terms.remove(at);
                -1
            }
            _ => return,
        };
        self.terms.epoch += 1;
        for pod in &self.looks.rows[look].pods {
            let node = self.pods.rows[*pod as usize].node as usize;
            self.terms.rows[term].count(&self.topologies, node, sign);
        }
    }

    /// The row of a placed pod, with the template it has.
    pub(crate) fn placed(&self, index: u32) -> (&PodRow, &Template) {
        let row = &self.pods.rows[index as usize];
        (row, &self.templates.rows[row.template as usize])
    }
}
