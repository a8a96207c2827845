//! Terms of affinity and of spread: which pods they select, and how many of those there are in each place.

use std::collections::{BTreeMap, HashMap};

use skep_api::LabelSelector;

use crate::{
    bits::Bits,
    counts::Counts,
    look::Look,
    node::NodeRow,
    slab::Slab,
    standing::Standings,
    topology::{NOWHERE, Topologies},
};

/// The labels of namespaces, by name.
pub(crate) type Namespaces = BTreeMap<String, BTreeMap<String, String>>;

/// Selects pods by namespace and labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// Namespaces by name, sorted.
    pub(crate) namespaces: Vec<String>,
    /// Namespaces by label.
    pub(crate) namespace_selector: Option<LabelSelector>,
    pub(crate) selector: LabelSelector,
}

/// A selection of pods over a topology. Equal terms of all pods are one row.
#[derive(Clone, Debug)]
pub(crate) struct Term {
    pub(crate) topology: usize,
    /// All must select the pod; none selects none.
    pub(crate) parts: Vec<Part>,
    pub(crate) spread: Option<Spread>,
    /// Selected pods by place.
    pub(crate) selected: Counts,
    /// Pods that keep away from what it selects, by place.
    pub(crate) repelled: Counts,
    /// How much the pods of a place would like what it selects to be there, in weights.
    pub(crate) drawn: Counts,
    /// How many pods that is about.
    pub(crate) drawn_pods: i64,
    identity: String,
    holders: u32,
}

/// Which nodes count for a spread, besides having a place.
#[derive(Clone, Debug)]
pub(crate) struct Eligible {
    /// Labels they must have.
    pub(crate) keys: Vec<String>,
    /// The standing whose labels they must have.
    pub(crate) selected: Option<usize>,
    /// The standing that must tolerate them.
    pub(crate) tolerated: Option<usize>,
}

/// What a term of spread needs besides: which nodes count, and how even things are.
#[derive(Clone, Debug)]
pub(crate) struct Spread {
    pub(crate) rule: Eligible,
    /// The nodes that count; empty where the rule lets all count.
    eligible: Bits,
    /// How many of them each place has.
    nodes_in: Counts,
    /// How many places there are with this many selected pods.
    levels: BTreeMap<i64, u32>,
    places: u32,
}

/// All terms.
#[derive(Clone, Debug, Default)]
pub(crate) struct Terms {
    pub(crate) rows: Slab<Term>,
    /// Looked up only, never walked.
    by_identity: HashMap<String, usize>,
    /// Terms by a label that everything they select has; the others under `None`.
    by_anchor: BTreeMap<Option<(String, String)>, Vec<usize>>,
    /// Goes up when a term comes or goes, and when its first or last holder does.
    pub(crate) epoch: u64,
}

impl Part {
    pub(crate) fn selects(&self, look: &Look, namespaces: &Namespaces) -> bool {
        self.reaches(&look.namespace, namespaces) && self.selector.matches(&look.labels)
    }

    fn words(&self, own: &str, known: &Namespaces) -> String {
        let mut words = self.selector.to_string();
        if words.is_empty() {
            "any pod".clone_into(&mut words);
        }
        let missing = |name: &str| name != own && !known.is_empty() && !known.contains_key(name);
        let names = self.namespaces.iter().map(|name| {
            let note = if missing(name) {
                " (which does not exist)"
            } else {
                ""
            };
            format!("namespace {name}{note}")
        });
        let selected = self.namespace_selector.as_ref().map(|selector| {
            let selector = selector.to_string();
            let none = !known.values().any(|labels| self.selects_namespace(labels));
            match (selector.as_str(), none) {
                ("", _) => "all namespaces".to_owned(),
                (labels, false) => format!("namespaces with {labels}"),
                (labels, true) => format!("namespaces with {labels} (there are none)"),
            }
        });
        let alone = self.namespace_selector.is_none() && self.namespaces == [own];
        let wheres: Vec<String> = names.chain(selected).collect();
        if !alone {
            words += &format!(" in {}", wheres.join(" or "));
        }
        words
    }

    fn selects_namespace(&self, labels: &BTreeMap<String, String>) -> bool {
        let selector = self.namespace_selector.as_ref();
        selector.is_some_and(|selector| selector.matches(labels))
    }

    fn reaches(&self, namespace: &str, namespaces: &Namespaces) -> bool {
        let no_labels = BTreeMap::new();
        self.namespaces
            .binary_search_by(|name| name.as_str().cmp(namespace))
            .is_ok()
            || self.selects_namespace(namespaces.get(namespace).unwrap_or(&no_labels))
    }
}

impl Term {
    /// What it says, in one text: equal terms have equal ones.
    pub(crate) fn identity(&self) -> &str {
        &self.identity
    }

    /// Whether it selects pods that look like this. Pods on their way out do not count for spread.
    pub(crate) fn selects(&self, look: &Look, namespaces: &Namespaces) -> bool {
        let counts = self.spread.is_none() || !look.deleting;
        counts && !self.parts.is_empty() && self.parts.iter().all(|part| part.selects(look, namespaces))
    }

    /// Counts selected pods of a node in, or out where the number is negative.
    pub(crate) fn count(&mut self, topologies: &Topologies, node: usize, pods: i64) {
        let place = topologies.place(self.topology, node);
        if place == NOWHERE || !self.spread.as_ref().is_none_or(|spread| spread.counts(node)) {
            return;
        }
        let now = self.selected.add(place, pods);
        if let Some(spread) = &mut self.spread {
            spread.moved(now - pods, now);
        }
    }

    /// Decides again whether a node counts.
    pub(crate) fn judge(&mut self, index: usize, node: &NodeRow, standings: &Standings) {
        if let Some(spread) = &mut self.spread
            && !spread.rule.is_open()
        {
            let counts = spread.rule.holds(node, standings);
            spread.eligible.set(index, counts);
        }
    }

    /// Counts a node in where it counts, before its pods.
    pub(crate) fn node_enters(&mut self, place: u32, node: usize) {
        let level = self.selected.get(place);
        let Some(spread) = &mut self.spread else { return };
        if place != NOWHERE && spread.counts(node) && spread.nodes_in.add(place, 1) == 1 {
            spread.places += 1;
            *spread.levels.entry(level).or_default() += 1;
        }
    }

    /// Counts a node out, after its pods.
    pub(crate) fn node_leaves(&mut self, place: u32, node: usize) {
        let level = self.selected.get(place);
        let Some(spread) = &mut self.spread else { return };
        if place != NOWHERE && spread.counts(node) && spread.nodes_in.add(place, -1) == 0 {
            spread.places -= 1;
            spread.lower(level);
        }
    }

    /// For a term of spread: how many places there are.
    pub(crate) fn places(&self) -> u32 {
        self.spread.as_ref().map_or(0, |spread| spread.places)
    }

    /// The fewest selected pods of a place; 0 where there are fewer places than wanted.
    pub(crate) fn fewest(&self, min_places: u32) -> i64 {
        let Some(spread) = &self.spread else { return 0 };
        match spread.levels.first_key_value() {
            Some((fewest, _)) if spread.places >= min_places => *fewest,
            _ => 0,
        }
    }

    /// As people write it: the selectors, whose namespaces where those are not `own` alone, and the topology.
    pub(crate) fn words(&self, topologies: &Topologies, own: &str, known: &Namespaces) -> String {
        let mut parts: Vec<String> = self.parts.iter().map(|part| part.words(own, known)).collect();
        parts.dedup();
        format!("{} by {}", parts.join(" and "), topologies.get(self.topology).key)
    }
}

impl Eligible {
    pub(crate) fn standing(&self) -> Option<usize> {
        self.selected.or(self.tolerated)
    }

    fn is_open(&self) -> bool {
        self.keys.is_empty() && self.standing().is_none()
    }

    fn holds(&self, node: &NodeRow, standings: &Standings) -> bool {
        let demands = |standing: usize| &standings.rows[standing].demands;
        self.keys.iter().all(|key| node.labels.contains_key(key))
            && self
                .selected
                .is_none_or(|standing| demands(standing).selects(node))
            && self
                .tolerated
                .is_none_or(|standing| demands(standing).tolerates_all(node))
    }
}

impl Spread {
    fn counts(&self, node: usize) -> bool {
        self.rule.is_open() || self.eligible.get(node)
    }

    fn moved(&mut self, before: i64, now: i64) {
        self.lower(before);
        *self.levels.entry(now).or_default() += 1;
    }

    fn lower(&mut self, level: i64) {
        if let Some(places) = self.levels.get_mut(&level) {
            *places -= 1;
            if *places == 0 {
                self.levels.remove(&level);
            }
        }
    }
}

impl Terms {
    pub(crate) fn find(&mut self, identity: &str) -> Option<usize> {
        let index = *self.by_identity.get(identity)?;
        self.rows[index].holders += 1;
        Some(index)
    }

    pub(crate) fn insert(
        &mut self,
        identity: String,
        topology: usize,
        parts: Vec<Part>,
        eligible: Option<Eligible>,
    ) -> usize {
        let anchor = parts.first().and_then(|part| crate::look::anchor(&part.selector));
        let spread = eligible.map(|rule| Spread {
            rule,
            eligible: Bits::default(),
            nodes_in: Counts::default(),
            levels: BTreeMap::new(),
            places: 0,
        });
        let index = self.rows.insert(Term {
            topology,
            parts,
            spread,
            selected: Counts::default(),
            repelled: Counts::default(),
            drawn: Counts::default(),
            drawn_pods: 0,
            identity: identity.clone(),
            holders: 1,
        });
        self.by_identity.insert(identity, index);
        self.by_anchor.entry(anchor).or_default().push(index);
        self.epoch += 1;
        index
    }

    /// Counts a pod that keeps away from what the term selects.
    pub(crate) fn repel(&mut self, index: usize, topologies: &Topologies, node: usize, sign: i64) {
        let term = &mut self.rows[index];
        let place = topologies.place(term.topology, node);
        if place != NOWHERE {
            let before = term.repelled.total();
            term.repelled.add(place, sign);
            self.epoch += u64::from((before == 0) != (term.repelled.total() == 0));
        }
    }

    /// Counts a pod that would like what the term selects to be near, or away where the weight is negative.
    pub(crate) fn draw(
        &mut self,
        index: usize,
        topologies: &Topologies,
        node: usize,
        weight: i64,
        sign: i64,
    ) {
        let term = &mut self.rows[index];
        let place = topologies.place(term.topology, node);
        if place != NOWHERE {
            let before = term.drawn_pods;
            term.drawn_pods += sign;
            term.drawn.add(place, weight * sign);
            self.epoch += u64::from((before == 0) != (term.drawn_pods == 0));
        }
    }

    /// Lets go of a term; what it was where nobody holds it any more.
    pub(crate) fn release(&mut self, index: usize) -> Option<Term> {
        self.rows[index].holders -= 1;
        if self.rows[index].holders > 0 {
            return None;
        }
        let gone = self.rows.remove(index);
        let anchor = gone
            .parts
            .first()
            .and_then(|part| crate::look::anchor(&part.selector));
        if let Some(terms) = self.by_anchor.get_mut(&anchor) {
            terms.retain(|term| *term != index);
            if terms.is_empty() {
                self.by_anchor.remove(&anchor);
            }
        }
        self.by_identity.remove(&gone.identity);
        self.epoch += 1;
        Some(gone)
    }

    /// The terms that select pods that look like this, ascending.
    pub(crate) fn selecting(&self, look: &Look, namespaces: &Namespaces) -> Vec<usize> {
        let labels = look
            .labels
            .iter()
            .map(|(key, value)| Some((key.clone(), value.clone())));
        let lists = labels
            .chain([None])
            .filter_map(|anchor| self.by_anchor.get(&anchor));
        let mut terms: Vec<usize> = lists
            .flatten()
            .copied()
            .filter(|term| self.rows[*term].selects(look, namespaces))
            .collect();
        terms.sort_unstable();
        terms
    }
}
