//! Clusters made from a list of numbers: a shorter list, or smaller numbers, make a simpler cluster.

use std::collections::BTreeMap;

use proptest::prelude::*;
use skep_api::{
    Affinity, ContainerRestartPolicy, LabelSelector, Node, NodeAffinity, NodeInclusionPolicy, NodeSelector,
    NodeSelectorOperator, NodeSelectorRequirement, NodeSelectorTerm, Pod, PodAffinity, PodAffinityTerm,
    PodAntiAffinity, PodSchedulingGate, PreemptionPolicy, PreferredSchedulingTerm, Protocol, ResourceList,
    TaintEffect, Toleration, TolerationOperator, TopologySpreadConstraint, UnsatisfiableConstraintAction,
    WeightedPodAffinityTerm,
};
use skep_scheduler::Budget;
use skep_testkit::{at, node, pod, quantity, replica_set};

use crate::reference::World;

/// Numbers that are used up one by one; 0 once there are none left.
#[derive(Clone, Debug)]
pub(crate) struct Choices {
    left: std::vec::IntoIter<u8>,
}

impl From<Vec<u8>> for Choices {
    fn from(numbers: Vec<u8>) -> Self {
        Self {
            left: numbers.into_iter(),
        }
    }
}

/// Enough numbers for a cluster.
pub(crate) fn choices() -> impl Strategy<Value = Choices> {
    prop::collection::vec(any::<u8>(), 0..900).prop_map(Choices::from)
}

impl Choices {
    pub(crate) fn below(&mut self, bound: u8) -> u8 {
        self.left.next().unwrap_or(0) % bound
    }

    /// True once in so many times.
    pub(crate) fn once_in(&mut self, times: u8) -> bool {
        self.below(times) + 1 == times
    }

    fn one_of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        let bound = u8::try_from(words.len()).expect("few words");
        words[usize::from(self.below(bound))]
    }

    pub(crate) fn nodes(&mut self) -> Vec<Node> {
        (0..1 + self.below(5)).map(|index| self.node(index)).collect()
    }

    pub(crate) fn node(&mut self, index: u8) -> Node {
        let mut one = node(&format!("n{index}"))
            .cpu(&(1 + self.below(4)).to_string())
            .memory(&format!("{}Gi", 1 + self.below(4)))
            .pods(2 + u32::from(self.below(6)));
        if !self.once_in(6) {
            one = one.label("zone", self.one_of(&["a", "b", "c"]));
        }
        if self.once_in(2) {
            one = one.label("size", self.one_of(&["1", "2", "30", "big"]));
        }
        if self.once_in(8) {
            let effect = [TaintEffect::NoSchedule, TaintEffect::NoExecute][usize::from(self.below(2))];
            one = one.taint("dedicated", self.one_of(&["db", "web"]), effect);
        }
        if self.once_in(3) {
            one = one.resource("example.com/gpu", &self.below(3).to_string());
        }
        if self.once_in(8) {
            one = one.taint("spot", "", TaintEffect::PreferNoSchedule);
        }
        if self.once_in(12) {
            one = one.cordoned();
        }
        if self.once_in(12) {
            one = one.not_ready();
        }
        one.build()
    }

    pub(crate) fn pods(&mut self, prefix: &str, most: u8) -> Vec<Pod> {
        let mut pods: Vec<Pod> = Vec::new();
        for index in 0..self.below(most + 1) {
            let name = format!("{prefix}{index:02}");
            // Mostly copies of the one before, as replicas are.
            let copied = pods.last().filter(|_| !self.once_in(3)).cloned();
            let mut one = copied.unwrap_or_else(|| self.pod());
            one.metadata.uid = format!("uid-{name}");
            one.metadata.name = name;
            pods.push(one);
        }
        pods
    }

    fn pod(&mut self) -> Pod {
        let set = replica_set(&format!("set-{}", self.below(3)), 1).build();
        let mut one = pod("x")
            .cpu(&format!("{}m", u32::from(self.below(4)) * 300))
            .memory(&format!("{}Mi", u32::from(self.below(3)) * 400))
            .label("app", self.one_of(&["x", "y"]))
            .owned_by(&set);
        if self.once_in(3) {
            one = one.label("hash", self.one_of(&["1", "2"]));
        }
        if self.once_in(8) {
            one = one.host_port(80);
        } else if self.once_in(8) {
            one = one.host_port_on(self.one_of(&["10.0.0.1", "10.0.0.2"]), 80, Protocol::Tcp);
        }
        if self.once_in(4) {
            one = one.toleration(self.toleration());
        }
        let mut one = one.build();
        self.weigh(&mut one);
        if self.once_in(16) {
            let name = "review".to_owned();
            one.spec.scheduling_gates = vec![PodSchedulingGate { name }];
        }
        if self.once_in(5) {
            one.metadata.namespace = "other".to_owned();
        }
        one.spec.priority = Some(i32::from(self.below(3)) * 10);
        if self.once_in(5) {
            one.spec.preemption_policy = Some(PreemptionPolicy::Never);
        }
        if self.once_in(2) {
            one.spec.affinity = Some(Box::new(self.affinity()));
        }
        if self.once_in(3) {
            let spread = (0..1 + self.below(2)).map(|_| self.spread());
            one.spec.topology_spread_constraints = spread.collect();
        }
        one
    }

    fn toleration(&mut self) -> Toleration {
        let kinds = [
            ("dedicated", "", TolerationOperator::Exists, None),
            ("dedicated", "db", TolerationOperator::Equal, None),
            (
                "dedicated",
                "web",
                TolerationOperator::Equal,
                Some(TaintEffect::NoSchedule),
            ),
            ("", "", TolerationOperator::Exists, None),
        ];
        let (key, value, operator, effect) = kinds[usize::from(self.below(4))];
        Toleration {
            key: key.to_owned(),
            operator,
            value: value.to_owned(),
            effect,
            toleration_seconds: None,
        }
    }

    /// What a pod takes up in other ways than by the requests of one container.
    fn weigh(&mut self, pod: &mut Pod) {
        let list = |name: &str, amount: &str| ResourceList::from([(name.to_owned(), quantity(amount))]);
        if self.once_in(6) {
            pod.spec.containers[0].resources.limits = list("example.com/gpu", "1");
        }
        if self.once_in(8) {
            pod.spec.overhead = list("cpu", "150m");
        }
        if self.once_in(8) {
            pod.spec.resources.requests = list("cpu", "1300m");
        } else if self.once_in(8) {
            pod.spec.resources.limits = list("memory", "900Mi");
        }
        for _ in 0..self.below(8).saturating_sub(5) {
            let mut init = pod.spec.containers[0].clone();
            init.resources.requests = list("cpu", self.one_of(&["200m", "1"]));
            init.ports.clear();
            init.restart_policy = self.once_in(2).then_some(ContainerRestartPolicy::Always);
            pod.spec.init_containers.push(init);
        }
    }

    fn affinity(&mut self) -> Affinity {
        let mut affinity = Affinity::default();
        match self.below(4) {
            0 => affinity.node_affinity = Some(self.node_affinity()),
            1 => {
                affinity.pod_affinity = Some(PodAffinity {
                    required_during_scheduling_ignored_during_execution: self.terms(),
                    preferred_during_scheduling_ignored_during_execution: self.weighted(),
                });
            }
            _ => {
                affinity.pod_anti_affinity = Some(PodAntiAffinity {
                    required_during_scheduling_ignored_during_execution: self.terms(),
                    preferred_during_scheduling_ignored_during_execution: self.weighted(),
                });
            }
        }
        affinity
    }

    fn node_affinity(&mut self) -> NodeAffinity {
        let node_selector_terms = (0..1 + self.below(2)).map(|_| self.node_term()).collect();
        let preferred = (0..self.below(2)).map(|_| PreferredSchedulingTerm {
            weight: 50,
            preference: self.node_term(),
        });
        NodeAffinity {
            preferred_during_scheduling_ignored_during_execution: preferred.collect(),
            required_during_scheduling_ignored_during_execution: Some(NodeSelector { node_selector_terms }),
        }
    }

    fn node_term(&mut self) -> NodeSelectorTerm {
        let operator = [
            NodeSelectorOperator::In,
            NodeSelectorOperator::NotIn,
            NodeSelectorOperator::Exists,
            NodeSelectorOperator::DoesNotExist,
            NodeSelectorOperator::Gt,
            NodeSelectorOperator::Lt,
        ][usize::from(self.below(6))];
        let mut requirement = NodeSelectorRequirement {
            key: self.one_of(&["zone", "size"]).to_owned(),
            operator,
            values: vec![self.one_of(&["a", "b", "2", "10"]).to_owned()],
        };
        if self.once_in(5) {
            requirement.key = "metadata.name".to_owned();
            requirement.operator = NodeSelectorOperator::In;
            requirement.values = vec![self.one_of(&["n0", "n1"]).to_owned()];
            return NodeSelectorTerm {
                match_fields: vec![requirement],
                ..NodeSelectorTerm::default()
            };
        }
        NodeSelectorTerm {
            match_expressions: vec![requirement],
            ..NodeSelectorTerm::default()
        }
    }

    fn selector(&mut self) -> Option<LabelSelector> {
        let text = self.one_of(&["app=x", "app=y", "app in (x,y)", "!hash", "", "none"]);
        (text != "none").then(|| text.parse().expect("the selector is sound"))
    }

    fn terms(&mut self) -> Vec<PodAffinityTerm> {
        (0..self.below(3)).map(|_| self.term()).collect()
    }

    fn weighted(&mut self) -> Vec<WeightedPodAffinityTerm> {
        let weighted = (0..self.below(2)).map(|_| WeightedPodAffinityTerm {
            weight: 1 + i32::from(self.below(100)),
            pod_affinity_term: self.term(),
        });
        weighted.collect()
    }

    fn term(&mut self) -> PodAffinityTerm {
        let mut term = PodAffinityTerm {
            label_selector: self.selector(),
            topology_key: self
                .one_of(&["kubernetes.io/hostname", "zone", "size"])
                .to_owned(),
            ..PodAffinityTerm::default()
        };
        match self.below(8) {
            5 => term.namespaces = vec!["other".to_owned()],
            6 => term.namespace_selector = Some("team=blue".parse().expect("the selector is sound")),
            7 => term.namespace_selector = Some(LabelSelector::default()),
            _ => {}
        }
        if term.label_selector.is_some() && self.once_in(4) {
            term.match_label_keys = vec!["hash".to_owned()];
        } else if term.label_selector.is_some() && self.once_in(6) {
            term.mismatch_label_keys = vec!["app".to_owned()];
        }
        term
    }

    fn spread(&mut self) -> TopologySpreadConstraint {
        let soft = self.once_in(3);
        let policy = |ignores: bool| {
            if ignores {
                NodeInclusionPolicy::Ignore
            } else {
                NodeInclusionPolicy::Honor
            }
        };
        let mut spread = TopologySpreadConstraint {
            max_skew: 1 + i32::from(self.below(2)),
            topology_key: self
                .one_of(&["zone", "kubernetes.io/hostname", "size"])
                .to_owned(),
            label_selector: self.selector(),
            node_affinity_policy: policy(self.once_in(3)),
            node_taints_policy: policy(!self.once_in(3)),
            ..TopologySpreadConstraint::default()
        };
        if soft {
            spread.when_unsatisfiable = UnsatisfiableConstraintAction::ScheduleAnyway;
        } else if self.once_in(4) {
            spread.min_domains = Some(1 + i32::from(self.below(4)));
        }
        if spread.label_selector.is_some() && self.once_in(4) {
            spread.match_label_keys = vec!["hash".to_owned()];
        }
        spread
    }

    pub(crate) fn namespaces(&mut self) -> BTreeMap<String, BTreeMap<String, String>> {
        let team = self.one_of(&["blue", "red"]).to_owned();
        let labels = BTreeMap::from([("team".to_owned(), team)]);
        BTreeMap::from([
            ("other".to_owned(), labels),
            ("default".to_owned(), BTreeMap::new()),
        ])
    }

    /// Nodes, and some pods on them, wherever: they may have come before what keeps others away now.
    pub(crate) fn world(&mut self) -> World {
        let (nodes, namespaces) = (self.nodes(), self.namespaces());
        let mut placed = self.pods("old", 8);
        for pod in &mut placed {
            pod.spec.node_name = nodes[usize::from(self.below(5)) % nodes.len()]
                .metadata
                .name
                .clone();
            pod.status.start_time = Some(at(u64::from(self.below(4))));
            if self.once_in(8) {
                pod.metadata.deletion_timestamp = Some(at(5));
            }
        }
        World {
            nodes,
            placed,
            nominated: Vec::new(),
            namespaces,
            budgets: self.budgets(),
        }
    }

    fn budgets(&mut self) -> Vec<Budget> {
        let count = self.below(4);
        (0..count)
            .map(|index| Budget {
                namespace: self.one_of(&["default", "other"]).to_owned(),
                name: format!("budget-{index}"),
                selector: self.selector(),
                disruptions_allowed: i32::from(self.below(3)),
            })
            .collect()
    }
}
