//! The slow, obvious check: may this pod go to this node, as things are? It walks over everything each time.

use std::{cmp::Reverse, collections::BTreeMap};

use skep_api::{
    Affinity, ConditionStatus, Container, ContainerPort, ContainerRestartPolicy, LabelSelector, Node,
    NodeCondition, NodeConditionType, NodeInclusionPolicy, NodeSelector, NodeSelectorOperator,
    NodeSelectorRequirement, Pod, PodAffinityTerm, PodSpec, Quantity, Taint, TaintEffect,
    TopologySpreadConstraint, UnsatisfiableConstraintAction,
};
use skep_scheduler::Budget;

/// Everything there is.
#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    pub(crate) nodes: Vec<Node>,
    /// Pods with the name of their node.
    pub(crate) placed: Vec<Pod>,
    /// Pods for which room is kept, with the node.
    pub(crate) nominated: Vec<(Pod, String)>,
    pub(crate) namespaces: BTreeMap<String, BTreeMap<String, String>>,
    pub(crate) budgets: Vec<Budget>,
}

/// What making room costs, the gravest first: budgets violated, the highest priority that goes, the sum of priorities, the number
/// of pods, how late the most important of them began.
pub(crate) type Cost = (usize, i64, i64, usize, Reverse<i64>);

impl World {
    pub(crate) fn fits(&self, pod: &Pod, node: &Node) -> bool {
        condition(pod, node)
            && selected(pod, node)
            && tolerated(pod, node)
            && self.room(pod, node)
            && self.near_enough(pod, node)
            && self.far_enough(pod, node)
            && self.even(pod, node)
    }

    pub(crate) fn node(&self, name: &str) -> &Node {
        self.nodes
            .iter()
            .find(|node| node.metadata.name == name)
            .expect("the node is there")
    }

    /// The world without those of lower priority on a node.
    pub(crate) fn without_lower(&self, pod: &Pod, node: &Node) -> Self {
        let mut world = self.clone();
        world
            .placed
            .retain(|other| other.spec.node_name != node.metadata.name || priority(other) >= priority(pod));
        world
    }

    /// What it costs to make room on a node, and who has to go; `None` where that does not help. `leaving` are going already.
    pub(crate) fn room_made(
        &self,
        pod: &Pod,
        node: &Node,
        leaving: &[String],
    ) -> Option<(Cost, Vec<String>)> {
        let mut world = self.without_lower(pod, node);
        if world.placed.len() == self.placed.len() || !world.fits(pod, node) {
            return None;
        }
        let mut going = Vec::new();
        for (other, violates) in self.by_importance(pod, node, leaving) {
            world.placed.push(other.clone());
            if !world.fits(pod, node) {
                world.placed.pop();
                going.push((other, violates));
            }
        }
        let priorities = going.iter().map(|(other, _)| i64::from(priority(other)));
        let highest = priorities.clone().max().unwrap_or(i64::MIN);
        let important = going
            .iter()
            .filter(|(other, _)| i64::from(priority(other)) == highest);
        let cost = (
            going.iter().filter(|(_, violates)| *violates).count(),
            highest,
            priorities.map(|one| one + 1 - i64::from(i32::MIN)).sum(),
            going.len(),
            Reverse(important.map(|(other, _)| began(other)).min().unwrap_or(i64::MAX)),
        );
        Some((
            cost,
            going
                .into_iter()
                .map(|(other, _)| other.metadata.uid.clone())
                .collect(),
        ))
    }

    /// Pods of lower priority on a node that are not going yet, those first whose budget has nothing left for them, then the more
    /// important ones.
    fn by_importance<'a>(&'a self, pod: &Pod, node: &Node, leaving: &[String]) -> Vec<(&'a Pod, bool)> {
        let mut order: Vec<&Pod> = self
            .placed
            .iter()
            .filter(|other| other.spec.node_name == node.metadata.name && priority(other) < priority(pod))
            .filter(|other| !other.metadata.is_deleting() && !leaving.contains(&other.metadata.uid))
            .collect();
        order.sort_by_key(|other| {
            let meta = &other.metadata;
            (
                Reverse(priority(other)),
                began(other),
                &meta.namespace,
                &meta.name,
            )
        });
        let mut left: Vec<i32> = self
            .budgets
            .iter()
            .map(|budget| budget.disruptions_allowed)
            .collect();
        let mut marked = Vec::new();
        for other in order {
            let mut violates = false;
            for (budget, left) in self.budgets.iter().zip(&mut left) {
                if protects(budget, other) {
                    *left -= 1;
                    violates |= *left < 0;
                }
            }
            marked.push((other, violates));
        }
        marked.sort_by_key(|(_, violates)| !violates);
        marked
    }

    /// A pod is sent away: its budgets have less left.
    pub(crate) fn spend(&mut self, uid: &str) {
        let pod = self
            .placed
            .iter()
            .find(|pod| pod.metadata.uid == uid)
            .expect("it is placed");
        for budget in self.budgets.iter_mut().filter(|budget| protects(budget, pod)) {
            budget.disruptions_allowed -= 1;
        }
    }

    fn on<'a>(&'a self, node: &'a Node) -> impl Iterator<Item = &'a Pod> {
        self.placed
            .iter()
            .filter(|pod| pod.spec.node_name == node.metadata.name)
    }

    fn room(&self, pod: &Pod, node: &Node) -> bool {
        let kept = self.nominated.iter().filter(|(other, at)| {
            *at == node.metadata.name
                && priority(other) >= priority(pod)
                && other.metadata.uid != pod.metadata.uid
        });
        let beside: Vec<&Pod> = self.on(node).chain(kept.map(|(other, _)| other)).collect();
        let mut wanted: BTreeMap<String, Quantity> = BTreeMap::new();
        for pod in beside.iter().copied().chain([pod]) {
            for (name, amount) in requests(pod) {
                *wanted.entry(name).or_default() += amount;
            }
        }
        wanted.insert("pods".to_owned(), Quantity::from_units(beside.len() as i64 + 1));
        let mine = requests(pod);
        let enough = wanted
            .iter()
            .filter(|(name, _)| *name == "pods" || mine.get(*name).is_some_and(|amount| !amount.is_zero()))
            .all(|(name, amount)| *amount <= node.status.allocatable.get(name).copied().unwrap_or_default());
        let free = |port: &ContainerPort| {
            !beside
                .iter()
                .any(|other| other.spec.host_ports().any(|o| clash(port, o)))
        };
        enough && pod.spec.host_ports().all(free)
    }

    fn selects(&self, term: &PodAffinityTerm, holder: &Pod, other: &Pod) -> bool {
        let Some(selector) = &term.label_selector else {
            return false;
        };
        let value = |pod: &Pod, key: &String| pod.metadata.labels.get(key).cloned();
        let namespace = &other.metadata.namespace;
        let in_namespace = if term.namespaces.is_empty() && term.namespace_selector.is_none() {
            *namespace == holder.metadata.namespace
        } else {
            let labels = self.namespaces.get(namespace).cloned().unwrap_or_default();
            term.namespaces.contains(namespace)
                || term
                    .namespace_selector
                    .as_ref()
                    .is_some_and(|selector| selector.matches(&labels))
        };
        let equal = |key: &String| value(holder, key).is_none() || value(holder, key) == value(other, key);
        let differ = |key: &String| value(holder, key).is_none() || value(holder, key) != value(other, key);
        in_namespace
            && selector.matches(&other.metadata.labels)
            && term.match_label_keys.iter().all(equal)
            && term.mismatch_label_keys.iter().all(differ)
    }

    fn same_place(&self, key: &str, pod: &Pod, node: &Node) -> bool {
        let here = node.metadata.labels.get(key);
        let there = self
            .nodes
            .iter()
            .find(|node| node.metadata.name == pod.spec.node_name);
        here.is_some() && there.is_some_and(|there| there.metadata.labels.get(key) == here)
    }

    fn near_enough(&self, pod: &Pod, node: &Node) -> bool {
        let terms = near_terms(pod);
        let all = |other: &Pod| terms.iter().all(|term| self.selects(term, pod, other));
        let placed_anywhere = |key: &str| {
            let has = |other: &Pod| self.nodes.iter().any(|node| self.same_place(key, other, node));
            self.placed.iter().any(|other| all(other) && has(other))
        };
        let first =
            !terms.is_empty() && all(pod) && !terms.iter().any(|term| placed_anywhere(&term.topology_key));
        terms.iter().all(|term| {
            let near = self
                .placed
                .iter()
                .any(|other| all(other) && self.same_place(&term.topology_key, other, node));
            node.metadata.labels.contains_key(&term.topology_key) && (near || first)
        })
    }

    fn far_enough(&self, pod: &Pod, node: &Node) -> bool {
        self.placed.iter().all(|other| {
            let repels = |holder: &Pod, other: &Pod, placed: &Pod| {
                away_terms(holder).iter().any(|term| {
                    self.selects(term, holder, other) && self.same_place(&term.topology_key, placed, node)
                })
            };
            !repels(pod, other, other) && !repels(other, pod, other)
        })
    }

    fn even(&self, pod: &Pod, node: &Node) -> bool {
        let hard = hard_spreads(pod);
        let keys: Vec<&String> = hard.iter().map(|one| &one.topology_key).collect();
        keys.iter().all(|key| node.metadata.labels.contains_key(*key))
            && hard.iter().all(|one| {
                let (count, min, own) = self.skew(pod, one, &keys, &node.metadata.labels[&one.topology_key]);
                count + own - min <= i64::from(one.max_skew)
            })
    }

    /// How many pods the place has, how many the emptiest has, and whether the pod itself counts.
    fn skew(
        &self,
        pod: &Pod,
        one: &TopologySpreadConstraint,
        keys: &[&String],
        place: &String,
    ) -> (i64, i64, i64) {
        let counts = |node: &&Node| {
            keys.iter().all(|key| node.metadata.labels.contains_key(*key))
                && (one.node_affinity_policy == NodeInclusionPolicy::Ignore || selected(pod, node))
                && (one.node_taints_policy == NodeInclusionPolicy::Ignore
                    || (tolerated(pod, node) && condition(pod, node)))
        };
        let mut places: BTreeMap<&String, i64> = BTreeMap::new();
        for node in self.nodes.iter().filter(counts) {
            let here = places
                .entry(&node.metadata.labels[&one.topology_key])
                .or_default();
            *here += self.on(node).filter(|other| counted(pod, one, other)).count() as i64;
        }
        let few = one
            .min_domains
            .is_some_and(|min| (places.len() as i64) < i64::from(min));
        let min = if few {
            0
        } else {
            places.values().copied().min().unwrap_or(0)
        };
        (
            places.get(place).copied().unwrap_or(0),
            min,
            i64::from(counted(pod, one, pod)),
        )
    }
}

fn counted(pod: &Pod, one: &TopologySpreadConstraint, other: &Pod) -> bool {
    let none = LabelSelector::default();
    let keys = one.match_label_keys.iter();
    let (mine, its) = (&pod.metadata.labels, &other.metadata.labels);
    one.label_selector.is_some()
        && pod.metadata.namespace == other.metadata.namespace
        && !other.metadata.is_deleting()
        && one.label_selector.as_ref().unwrap_or(&none).matches(its)
        && keys
            .filter(|key| mine.contains_key(*key))
            .all(|key| mine.get(key) == its.get(key))
}

fn protects(budget: &Budget, pod: &Pod) -> bool {
    let selector = budget.selector.as_ref();
    budget.namespace == pod.metadata.namespace
        && selector.is_some_and(|selector| selector.matches(&pod.metadata.labels))
}

fn began(pod: &Pod) -> i64 {
    let time = pod.status.start_time.or(pod.metadata.creation_timestamp);
    time.map_or(i64::MAX, skep_api::Time::as_millis)
}

/// What a pod takes up: what runs of it at the same time, when that is most, or what it says of itself as a whole; and overhead.
fn requests(pod: &Pod) -> BTreeMap<String, Quantity> {
    let spec = &pod.spec;
    let of = |container: &Container, name: &String| {
        let stated = container
            .resources
            .requests
            .get(name)
            .or_else(|| container.resources.limits.get(name));
        stated.copied().unwrap_or_default()
    };
    let containers = spec.init_containers.iter().chain(&spec.containers);
    let lists = containers
        .map(|container| &container.resources)
        .chain([&spec.resources]);
    let names = lists.flat_map(|resources| resources.requests.keys().chain(resources.limits.keys()));
    let amount = |name: &String| {
        let (mut sidecars, mut most) = (Quantity::default(), Quantity::default());
        for init in &spec.init_containers {
            if init.restart_policy == Some(ContainerRestartPolicy::Always) {
                sidecars += of(init, name);
                most = most.max(sidecars);
            } else {
                most = most.max(sidecars + of(init, name));
            }
        }
        let together = spec
            .containers
            .iter()
            .fold(sidecars, |sum, one| sum + of(one, name));
        let stated = containers_state(spec, name).then(|| together.max(most));
        let whole = spec.resources.requests.get(name).copied();
        let whole = whole
            .or(stated)
            .or_else(|| spec.resources.limits.get(name).copied());
        whole.unwrap_or_default() + spec.overhead.get(name).copied().unwrap_or_default()
    };
    names
        .chain(spec.overhead.keys())
        .map(|name| (name.clone(), amount(name)))
        .collect()
}

fn containers_state(spec: &PodSpec, name: &String) -> bool {
    let mut containers = spec.init_containers.iter().chain(&spec.containers);
    containers.any(|one| one.resources.requests.contains_key(name) || one.resources.limits.contains_key(name))
}

pub(crate) fn priority(pod: &Pod) -> i32 {
    pod.spec.priority.unwrap_or(0)
}

fn affinity(pod: &Pod) -> Affinity {
    pod.spec.affinity.as_deref().cloned().unwrap_or_default()
}

fn near_terms(pod: &Pod) -> Vec<PodAffinityTerm> {
    affinity(pod)
        .pod_affinity
        .unwrap_or_default()
        .required_during_scheduling_ignored_during_execution
}

fn away_terms(pod: &Pod) -> Vec<PodAffinityTerm> {
    affinity(pod)
        .pod_anti_affinity
        .unwrap_or_default()
        .required_during_scheduling_ignored_during_execution
}

fn hard_spreads(pod: &Pod) -> Vec<&TopologySpreadConstraint> {
    let all = pod.spec.topology_spread_constraints.iter();
    all.filter(|one| one.when_unsatisfiable == UnsatisfiableConstraintAction::DoNotSchedule)
        .collect()
}

fn condition(pod: &Pod, node: &Node) -> bool {
    let ready = NodeCondition::find(&node.status.conditions, NodeConditionType::Ready);
    let ready = ready.is_some_and(|ready| ready.status == ConditionStatus::True);
    let tolerates = |name: &str| {
        let taint = Taint {
            key: format!("node.kubernetes.io/{name}"),
            ..Taint::default()
        };
        pod.spec
            .tolerations
            .iter()
            .any(|toleration| toleration.tolerates(&taint))
    };
    (ready || tolerates("not-ready")) && (!node.spec.unschedulable || tolerates("unschedulable"))
}

fn tolerated(pod: &Pod, node: &Node) -> bool {
    let hard = node
        .spec
        .taints
        .iter()
        .filter(|taint| taint.effect != TaintEffect::PreferNoSchedule);
    hard.into_iter().all(|taint| {
        pod.spec
            .tolerations
            .iter()
            .any(|toleration| toleration.tolerates(taint))
    })
}

fn selected(pod: &Pod, node: &Node) -> bool {
    let labels = &node.metadata.labels;
    let required = affinity(pod)
        .node_affinity
        .unwrap_or_default()
        .required_during_scheduling_ignored_during_execution;
    pod.spec
        .node_selector
        .iter()
        .all(|(key, value)| labels.get(key) == Some(value))
        && required.is_none_or(|required| any_term(&required, node))
}

fn any_term(selector: &NodeSelector, node: &Node) -> bool {
    selector.node_selector_terms.iter().any(|term| {
        let labels = term
            .match_expressions
            .iter()
            .map(|one| (one, node.metadata.labels.get(&one.key)));
        let fields = term
            .match_fields
            .iter()
            .map(|one| (one, Some(&node.metadata.name)));
        let all: Vec<_> = labels.chain(fields).collect();
        !all.is_empty() && all.into_iter().all(|(one, value)| requirement(one, value))
    })
}

fn requirement(one: &NodeSelectorRequirement, value: Option<&String>) -> bool {
    let number = |text: &String| text.parse::<i64>().ok();
    let (value_number, bound) = (value.and_then(number), one.values.first().and_then(number));
    match one.operator {
        NodeSelectorOperator::In => value.is_some_and(|value| one.values.contains(value)),
        NodeSelectorOperator::NotIn => !value.is_some_and(|value| one.values.contains(value)),
        NodeSelectorOperator::Exists => value.is_some(),
        NodeSelectorOperator::DoesNotExist => value.is_none(),
        NodeSelectorOperator::Gt => value_number
            .zip(bound)
            .is_some_and(|(value, bound)| value > bound),
        NodeSelectorOperator::Lt => value_number
            .zip(bound)
            .is_some_and(|(value, bound)| value < bound),
    }
}

fn clash(one: &ContainerPort, other: &ContainerPort) -> bool {
    let everywhere = |port: &ContainerPort| port.host_ip.is_empty() || port.host_ip == "0.0.0.0";
    one.host_port == other.host_port
        && one.protocol == other.protocol
        && (everywhere(one) || everywhere(other) || one.host_ip == other.host_ip)
}
