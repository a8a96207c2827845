//! What a node's labels, taints and condition say about a kind of pod: decided once for each node, and again when it changes.

use std::collections::{BTreeMap, HashMap};

use skep_api::{
    ConditionStatus, NodeSelector, NodeSelectorOperator as Operator, NodeSelectorRequirement,
    NodeSelectorTerm, PreferredSchedulingTerm, Taint, Toleration,
};

use crate::{
    bits::Bits,
    filter::{Obstacle, effect_text},
    node::NodeRow,
    score,
    slab::Slab,
};

/// More of an affinity than this is not told in words.
const WORDS_MAX: usize = 160;

/// What a kind of pod says about nodes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Demands {
    pub(crate) node_selector: BTreeMap<String, String>,
    pub(crate) required: Option<NodeSelector>,
    pub(crate) preferred: Vec<PreferredSchedulingTerm>,
    pub(crate) tolerations: Vec<Toleration>,
    /// Whether a node will do that is cordoned, not ready, or not heard of.
    pub(crate) unschedulable_will_do: bool,
    pub(crate) not_ready_will_do: bool,
    pub(crate) unreachable_will_do: bool,
}

/// Demands, and which nodes meet them.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub(crate) demands: Demands,
    /// The nodes that will do; `None` where pods name their node and no table is kept.
    pub(crate) good: Option<Bits>,
    /// What the nodes' scores owe to them; empty where that is nothing.
    marks: Vec<i64>,
    identity: String,
    templates: u32,
}

/// All standings.
#[derive(Clone, Debug, Default)]
pub(crate) struct Standings {
    pub(crate) rows: Slab<Standing>,
    /// Looked up only, never walked.
    by_identity: HashMap<String, usize>,
}

impl Demands {
    pub(crate) fn tolerates(&self, taint: &Taint) -> bool {
        self.tolerations
            .iter()
            .any(|toleration| toleration.tolerates(taint))
    }

    /// The first thing about the node itself that stands against the pod.
    pub(crate) fn obstacle<'a>(&'a self, node: &'a NodeRow) -> Option<Obstacle<'a>> {
        self.condition(node)
            .or_else(|| self.labels(node))
            .or_else(|| self.taints(node))
    }

    fn condition(&self, node: &NodeRow) -> Option<Obstacle<'static>> {
        if node.cordoned && !self.unschedulable_will_do {
            return Some(Obstacle::Cordoned);
        }
        let will_do = match node.ready {
            ConditionStatus::True => true,
            ConditionStatus::False => self.not_ready_will_do,
            ConditionStatus::Unknown => self.unreachable_will_do,
        };
        (!will_do).then_some(Obstacle::NotReady)
    }

    fn labels<'a>(&'a self, node: &NodeRow) -> Option<Obstacle<'a>> {
        let mut missing = self.node_selector.iter();
        if let Some((key, value)) = missing.find(|(key, value)| node.labels.get(*key) != Some(*value)) {
            return Some(Obstacle::Label(key, value));
        }
        let selected = self
            .required
            .as_ref()
            .is_none_or(|required| selects(required, node));
        (!selected).then_some(Obstacle::NodeAffinity)
    }

    fn taints<'a>(&self, node: &'a NodeRow) -> Option<Obstacle<'a>> {
        let hurdle = node.taints.iter().find(|taint| !self.tolerates(taint))?;
        Some(Obstacle::Taint(
            hurdle.key.as_str(),
            hurdle.value.as_str(),
            effect_text(hurdle.effect),
        ))
    }

    /// Whether nodeSelector and required affinity select the node, whatever else is with it.
    pub(crate) fn selects(&self, node: &NodeRow) -> bool {
        self.labels(node).is_none()
    }

    /// Whether the node has nothing that the pod would have to tolerate and does not.
    pub(crate) fn tolerates_all(&self, node: &NodeRow) -> bool {
        self.condition(node).is_none() && self.taints(node).is_none()
    }

    /// What the required affinity asks for, as people write selectors; its beginning where that is long.
    pub(crate) fn affinity_words(&self) -> String {
        let terms = self
            .required
            .iter()
            .flat_map(|required| &required.node_selector_terms);
        let terms: Vec<String> = terms.map(term_words).collect();
        let text = terms.join(" or ");
        if text.chars().count() <= WORDS_MAX {
            return text;
        }
        text.chars().take(WORDS_MAX).chain(['…']).collect()
    }

    /// Whether it matters which labels a node has.
    pub(crate) fn is_choosy(&self) -> bool {
        !self.node_selector.is_empty() || self.required.is_some()
    }

    fn marks(&self, node: &NodeRow) -> i64 {
        let untolerated = node
            .soft_taints
            .iter()
            .filter(|taint| !self.tolerates(taint))
            .count();
        let preferred = self
            .preferred
            .iter()
            .filter(|term| term_selects(&term.preference, node));
        let weight: i64 = preferred.map(|term| i64::from(term.weight)).sum();
        score::preferred(weight) - score::soft_taints(untolerated)
    }
}

fn term_words(term: &NodeSelectorTerm) -> String {
    let all = term.match_expressions.iter().chain(&term.match_fields);
    let all: Vec<String> = all.map(requirement_words).collect();
    all.join(" and ")
}

fn requirement_words(wanted: &NodeSelectorRequirement) -> String {
    let (key, values) = (&wanted.key, &wanted.values);
    match (wanted.operator, values.as_slice()) {
        (Operator::In, [value]) => format!("{key}={value}"),
        (Operator::In, _) => format!("{key} in ({})", values.join(",")),
        (Operator::NotIn, [value]) => format!("{key}!={value}"),
        (Operator::NotIn, _) => format!("{key} notin ({})", values.join(",")),
        (Operator::Exists, _) => key.clone(),
        (Operator::DoesNotExist, _) => format!("!{key}"),
        (Operator::Gt, _) => format!("{key}>{}", values.join(",")),
        (Operator::Lt, _) => format!("{key}<{}", values.join(",")),
    }
}

fn selects(selector: &NodeSelector, node: &NodeRow) -> bool {
    selector
        .node_selector_terms
        .iter()
        .any(|term| term_selects(term, node))
}

/// A term without requirements selects nothing.
fn term_selects(term: &NodeSelectorTerm, node: &NodeRow) -> bool {
    let some = !term.match_expressions.is_empty() || !term.match_fields.is_empty();
    let expressions = term.match_expressions.iter();
    let fields = term.match_fields.iter();
    some && expressions
        .map(|wanted| (wanted, node.labels.get(&wanted.key).map(String::as_str)))
        .chain(fields.map(|wanted| (wanted, (wanted.key == "metadata.name").then_some(&*node.name))))
        .all(|(wanted, value)| holds(wanted, value))
}

fn holds(wanted: &NodeSelectorRequirement, value: Option<&str>) -> bool {
    let listed = || value.is_some_and(|value| wanted.values.iter().any(|one| one == value));
    let numbers = || {
        let bound: i64 = wanted.values.first()?.parse().ok()?;
        Some((value?.parse::<i64>().ok()?, bound))
    };
    match wanted.operator {
        Operator::In => listed(),
        Operator::NotIn => !listed(),
        Operator::Exists => value.is_some(),
        Operator::DoesNotExist => value.is_none(),
        Operator::Gt => numbers().is_some_and(|(value, bound)| value > bound),
        Operator::Lt => numbers().is_some_and(|(value, bound)| value < bound),
    }
}

impl Standing {
    /// What the node's score owes to them.
    pub(crate) fn marks(&self, index: usize, node: &NodeRow) -> i64 {
        match self.good {
            Some(_) => self.marks.get(index).copied().unwrap_or(0),
            None => self.demands.marks(node),
        }
    }

    fn judge(&mut self, index: usize, node: Option<&NodeRow>) {
        let Some(good) = &mut self.good else { return };
        good.set(
            index,
            node.is_some_and(|node| self.demands.obstacle(node).is_none()),
        );
        let marks = node.map_or(0, |node| self.demands.marks(node));
        if marks != 0 && self.marks.len() <= index {
            self.marks.resize(index + 1, 0);
        }
        if let Some(slot) = self.marks.get_mut(index) {
            *slot = marks;
        }
    }
}

impl Standings {
    /// The standing for these demands. A table of nodes is kept where `tabled`.
    pub(crate) fn hold<'a>(
        &mut self,
        identity: &str,
        demands: impl FnOnce() -> Demands,
        tabled: bool,
        nodes: impl Iterator<Item = (usize, &'a NodeRow)>,
    ) -> usize {
        if let Some(index) = self.by_identity.get(identity) {
            self.rows[*index].templates += 1;
            return *index;
        }
        let mut standing = Standing {
            demands: demands(),
            good: tabled.then(Bits::default),
            marks: Vec::new(),
            identity: identity.to_owned(),
            templates: 1,
        };
        if tabled {
            nodes.for_each(|(index, node)| standing.judge(index, Some(node)));
        }
        let index = self.rows.insert(standing);
        self.by_identity.insert(identity.to_owned(), index);
        index
    }

    /// One more holds it.
    pub(crate) fn keep(&mut self, index: usize) {
        self.rows[index].templates += 1;
    }

    pub(crate) fn release(&mut self, index: usize) {
        self.rows[index].templates -= 1;
        if self.rows[index].templates == 0 {
            let gone = self.rows.remove(index);
            self.by_identity.remove(&gone.identity);
        }
    }

    /// Takes note of a node that has changed; `None` for one that is gone.
    pub(crate) fn node(&mut self, index: usize, node: Option<&NodeRow>) {
        for (_, standing) in self.rows.iter_mut() {
            standing.judge(index, node);
        }
    }
}
