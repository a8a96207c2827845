//! What a pod asks for and brings with it, apart from its name: pods with equal templates are decided as a group.

use std::{collections::HashMap, fmt::Write as _, sync::Arc};

use skep_api::{
    Container, LabelSelector, NodeSelectorOperator, Pod, PodAffinityTerm, PodSpec, PreemptionPolicy, Taint,
    TaintEffect, TopologySpreadConstraint,
};

use crate::{load::Load, slab::Slab, standing::Demands, term::Part};

/// What a pod asks for and brings with it.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    pub(crate) look: usize,
    /// Whose copies are spread; `None` for pods of nobody, and for those on their way out.
    pub(crate) owner: Option<usize>,
    pub(crate) load: Arc<Load>,
    pub(crate) priority: i32,
    /// False where it may not take the place of others.
    pub(crate) preempts: bool,
    /// What holds it back, by name.
    pub(crate) gates: Vec<String>,
    pub(crate) standing: usize,
    /// The only nodes that come into question, by name; `None` for any.
    pub(crate) pinned: Option<Vec<String>>,
    /// True where `pinned` is what the pod's `nodeName` says.
    pub(crate) named: bool,
    /// Required: pods must be near.
    pub(crate) affinity: Vec<usize>,
    /// True where it is such a pod itself, so that the first one may go anywhere.
    pub(crate) self_affine: bool,
    /// Required: pods must not be near.
    pub(crate) anti: Vec<usize>,
    /// Required: pods must be spread.
    pub(crate) even: Vec<Even>,
    /// Preferred: pods should be spread.
    pub(crate) soft_even: Vec<Even>,
    /// Preferred: pods should be near, or away where the weight is negative.
    pub(crate) prefers: Vec<(usize, i64)>,
    /// What it thinks of pods that come later: what it prefers, and that it needs pods near.
    pub(crate) draws: Vec<(usize, i64)>,
    pub(crate) images: Vec<usize>,
    pub(crate) containers: usize,
    identity: Arc<str>,
    /// Pods and groups that have it.
    holders: u32,
}

/// A topology spread constraint.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Even {
    pub(crate) term: usize,
    pub(crate) max_skew: i64,
    pub(crate) min_places: u32,
    /// 1 where the pod itself is counted, else 0.
    pub(crate) own: i64,
}

/// All templates.
#[derive(Clone, Debug, Default)]
pub(crate) struct Templates {
    pub(crate) rows: Slab<Template>,
    /// Looked up only, never walked.
    by_identity: HashMap<Arc<str>, usize>,
}

impl Templates {
    pub(crate) fn find(&self, identity: &str) -> Option<usize> {
        self.by_identity.get(identity).copied()
    }

    pub(crate) fn insert(&mut self, identity: String, mut template: Template) -> usize {
        let identity: Arc<str> = identity.into();
        template.identity = Arc::clone(&identity);
        let index = self.rows.insert(template);
        self.by_identity.insert(identity, index);
        index
    }

    pub(crate) fn hold(&mut self, index: usize) {
        self.rows[index].holders += 1;
    }

    /// Lets go of a template; true where nobody holds it any more.
    pub(crate) fn release(&mut self, index: usize) -> bool {
        let template = &mut self.rows[index];
        template.holders -= 1;
        template.holders == 0
    }

    pub(crate) fn is_idle(&self, index: usize) -> bool {
        self.rows.get(index).is_some_and(|template| template.holders == 0)
    }

    pub(crate) fn remove(&mut self, index: usize) -> Template {
        let gone = self.rows.remove(index);
        self.by_identity.remove(&gone.identity);
        gone
    }
}

impl Template {
    /// A template that nobody holds yet and that has no terms.
    pub(crate) fn plain(pod: &Pod, load: Arc<Load>, look: usize, standing: usize) -> Self {
        let spec = &pod.spec;
        Self {
            look,
            owner: None,
            load,
            priority: spec.effective_priority(),
            preempts: spec.preemption_policy != Some(PreemptionPolicy::Never),
            gates: spec
                .scheduling_gates
                .iter()
                .map(|gate| gate.name.clone())
                .collect(),
            standing,
            pinned: None,
            named: false,
            affinity: Vec::new(),
            self_affine: false,
            anti: Vec::new(),
            even: Vec::new(),
            soft_even: Vec::new(),
            prefers: Vec::new(),
            draws: Vec::new(),
            images: Vec::new(),
            containers: spec.containers.len(),
            identity: Arc::from(""),
            holders: 0,
        }
    }

    /// True where it says which other pods must be where.
    pub(crate) fn has_bonds(&self) -> bool {
        !self.affinity.is_empty() || !self.anti.is_empty() || !self.even.is_empty()
    }

    /// Every term it holds, as often as it does.
    pub(crate) fn terms(&self) -> impl Iterator<Item = usize> {
        let even = self.even.iter().chain(&self.soft_even).map(|even| even.term);
        let weighted = self.prefers.iter().chain(&self.draws).map(|(term, _)| *term);
        self.affinity
            .iter()
            .chain(&self.anti)
            .copied()
            .chain(even)
            .chain(weighted)
    }
}

/// The nodes that the pod names, if it does: the `wanted` one, or those in every term of its affinity.
pub(crate) fn pinned(spec: &PodSpec, wanted: &str) -> Option<Vec<String>> {
    if !wanted.is_empty() {
        return Some(vec![wanted.to_owned()]);
    }
    let affinity = spec.affinity.as_ref()?.node_affinity.as_ref()?;
    let required = affinity
        .required_during_scheduling_ignored_during_execution
        .as_ref()?;
    let mut names = Vec::new();
    for term in &required.node_selector_terms {
        let mut fields = term.match_fields.iter();
        let named =
            fields.find(|field| field.operator == NodeSelectorOperator::In && field.key == "metadata.name");
        names.extend_from_slice(&named?.values);
    }
    names.sort_unstable();
    names.dedup();
    Some(names)
}

/// What the pod says about nodes.
pub(crate) fn demands(spec: &PodSpec) -> Demands {
    let will_do = |condition: &str| {
        let taint = Taint {
            key: format!("node.kubernetes.io/{condition}"),
            effect: TaintEffect::NoSchedule,
            ..Taint::default()
        };
        spec.tolerations
            .iter()
            .any(|toleration| toleration.tolerates(&taint))
    };
    let affinity = spec
        .affinity
        .as_ref()
        .and_then(|affinity| affinity.node_affinity.clone());
    let affinity = affinity.unwrap_or_default();
    Demands {
        node_selector: spec.node_selector.clone(),
        required: affinity.required_during_scheduling_ignored_during_execution,
        preferred: affinity.preferred_during_scheduling_ignored_during_execution,
        unschedulable_will_do: will_do("unschedulable"),
        not_ready_will_do: will_do("not-ready"),
        unreachable_will_do: will_do("unreachable"),
        tolerations: spec.tolerations.clone(),
    }
}

/// What tells these demands from others.
pub(crate) fn demands_identity(spec: &PodSpec, tabled: bool) -> String {
    let affinity = spec
        .affinity
        .as_ref()
        .and_then(|affinity| affinity.node_affinity.as_ref());
    if spec.node_selector.is_empty() && spec.tolerations.is_empty() && affinity.is_none() {
        return if tabled {
            String::new()
        } else {
            "pinned".to_owned()
        };
    }
    format!(
        "{tabled}{:?} {:?} {affinity:?}",
        spec.node_selector, spec.tolerations
    )
}

/// What tells the template from others, in one text.
pub(crate) fn identity(pod: &Pod, wanted: &str, load: &Load) -> String {
    let (meta, spec) = (&pod.metadata, &pod.spec);
    let mut text = String::with_capacity(256);
    let owner = meta.controller().map_or("", |owner| owner.uid.as_str());
    let gone = u8::from(meta.is_deleting());
    // Strings that could hold a separator are written with their length.
    let written = (|| {
        write!(
            text,
            "{}/{gone}/{owner}/{}/",
            meta.namespace,
            spec.effective_priority()
        )?;
        for (key, value) in &meta.labels {
            write!(text, "{key}={value},")?;
        }
        write!(text, "/{:?}/{wanted}/", spec.preemption_policy)?;
        for (id, amount) in &load.amounts {
            write!(text, "{id}:{amount},")?;
        }
        for container in &spec.containers {
            write!(text, "/{}:{}", container.image.len(), container.image)?;
        }
        if !load.ports.is_empty() || !spec.scheduling_gates.is_empty() {
            write!(text, "/{:?}{:?}", load.ports, spec.scheduling_gates)?;
        }
        text.push('/');
        text.push_str(&demands_identity(spec, true));
        let affinity = spec.affinity.as_ref();
        let pods = affinity.map(|affinity| (&affinity.pod_affinity, &affinity.pod_anti_affinity));
        if pods.is_some() || !spec.topology_spread_constraints.is_empty() {
            write!(text, "/{pods:?}{:?}", spec.topology_spread_constraints)?;
        }
        std::fmt::Result::Ok(())
    })();
    written.expect("strings take everything");
    text
}

/// True where two pods surely have one template: what a glance at them tells, without computing anything.
pub(crate) fn alike(one: &Pod, other: &Pod) -> bool {
    one.spec.node_name == other.spec.node_name && alike_anywhere(one, other)
}

/// As [`alike`], wherever the two are.
pub(crate) fn alike_anywhere(one: &Pod, other: &Pod) -> bool {
    let (a, b) = (&one.spec, &other.spec);
    let containers = |a: &[Container], b: &[Container]| {
        a.len() == b.len()
            && a.iter().zip(b).all(|(a, b)| {
                a.resources == b.resources
                    && a.ports == b.ports
                    && a.image == b.image
                    && a.restart_policy == b.restart_policy
            })
    };
    fn owner(pod: &Pod) -> Option<&str> {
        pod.metadata.controller().map(|owner| owner.uid.as_str())
    }
    a.host_network == b.host_network
        && a.priority == b.priority
        && a.preemption_policy == b.preemption_policy
        && a.node_selector == b.node_selector
        && a.tolerations == b.tolerations
        && a.affinity == b.affinity
        && a.topology_spread_constraints == b.topology_spread_constraints
        && a.scheduling_gates == b.scheduling_gates
        && a.overhead == b.overhead
        && a.resources == b.resources
        && containers(&a.containers, &b.containers)
        && containers(&a.init_containers, &b.init_containers)
        && one.metadata.is_deleting() == other.metadata.is_deleting()
        && one.metadata.namespace == other.metadata.namespace
        && owner(one) == owner(other)
        && one.metadata.labels == other.metadata.labels
}

/// The pods that a term of affinity selects, for a pod with these labels; `None` where it selects none.
pub(crate) fn affinity_part(term: &PodAffinityTerm, pod: &Pod) -> Option<Part> {
    let mut selector = term.label_selector.clone()?;
    narrow(&mut selector, &term.match_label_keys, pod, true);
    narrow(&mut selector, &term.mismatch_label_keys, pod, false);
    let mut namespaces = term.namespaces.clone();
    if namespaces.is_empty() && term.namespace_selector.is_none() {
        namespaces.push(pod.metadata.namespace.clone());
    }
    namespaces.sort_unstable();
    namespaces.dedup();
    Some(Part {
        namespaces,
        namespace_selector: term.namespace_selector.clone(),
        selector,
    })
}

/// The pods that a spread constraint counts, for a pod with these labels; `None` where it counts none.
pub(crate) fn spread_part(constraint: &TopologySpreadConstraint, pod: &Pod) -> Option<Part> {
    let mut selector = constraint.label_selector.clone()?;
    narrow(&mut selector, &constraint.match_label_keys, pod, true);
    Some(Part {
        namespaces: vec![pod.metadata.namespace.clone()],
        namespace_selector: None,
        selector,
    })
}

/// Adds that these labels are equal to (or other than) the pod's. Labels that the pod does not have are left out.
fn narrow(selector: &mut LabelSelector, keys: &[String], pod: &Pod, equal: bool) {
    use skep_api::{LabelSelectorOperator, LabelSelectorRequirement};
    for key in keys {
        let Some(value) = pod.metadata.labels.get(key) else {
            continue;
        };
        if equal && !selector.match_labels.contains_key(key) {
            selector.match_labels.insert(key.clone(), value.clone());
            continue;
        }
        selector.match_expressions.push(LabelSelectorRequirement {
            key: key.clone(),
            operator: if equal {
                LabelSelectorOperator::In
            } else {
                LabelSelectorOperator::NotIn
            },
            values: vec![value.clone()],
        });
    }
}
