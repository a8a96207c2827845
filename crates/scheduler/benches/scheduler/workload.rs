//! Nodes and pods of each workload.

use skep_api::{
    Affinity, LabelSelector, Node, NodeAffinity, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm,
    Pod, PodAffinity, PodAffinityTerm, PodAntiAffinity, TopologySpreadConstraint, WeightedPodAffinityTerm,
};
use skep_testkit::{node, pod, replica_set};

/// What is asked of the scheduler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Workload {
    /// Pods that ask for some CPU and memory.
    Plain,
    /// The same, one call for each pod.
    OneByOne,
    /// The same, of many deployments.
    Deployments,
    /// The same, no two pods alike.
    Strangers,
    /// Only nodes of two zones of ten will do.
    NodeAffinity,
    /// Sets of 500 pods, each of which has at most one pod on a node.
    AntiAffinity,
    /// Pods that like to be together on a node.
    PreferredAffinity,
    /// Spread over ten zones within a skew of five.
    TopologySpread,
    /// Each pod takes the place of two others.
    Preemption,
    /// The same, near pods of a kind that every zone has.
    PreemptionNear,
    /// Pods that are larger than any node.
    Unschedulable,
}

/// How many deployments pods are of.
const DEPLOYMENTS: usize = 1_000;

/// How many pods of low priority each node has, where there is preemption: they fill it.
const LOW_PODS: usize = 40;

const ZONE: &str = "topology.kubernetes.io/zone";
const HOSTNAME: &str = "kubernetes.io/hostname";

impl Workload {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::OneByOne => "plain, one call each",
            Self::Deployments => "plain, of 1,000 deployments",
            Self::Strangers => "plain, no two alike",
            Self::NodeAffinity => "node affinity",
            Self::AntiAffinity => "anti-affinity",
            Self::PreferredAffinity => "preferred affinity",
            Self::TopologySpread => "topology spread",
            Self::Preemption => "preemption",
            Self::PreemptionNear => "preemption, required pod affinity",
            Self::Unschedulable => "unschedulable",
        }
    }

    pub(crate) fn nodes(self, count: usize) -> Vec<Node> {
        let node = |index: usize| {
            let node = node(&format!("node-{index:05}")).label(ZONE, &format!("zone-{}", index % 10));
            match self {
                Self::Preemption | Self::PreemptionNear => node.cpu("4").pods(110),
                _ => node.cpu("64").memory("256Gi").pods(2_000),
            }
        };
        (0..count).map(|index| node(index).build()).collect()
    }

    /// True where pods take the place of others.
    pub(crate) fn preempts(self) -> bool {
        matches!(self, Self::Preemption | Self::PreemptionNear)
    }

    /// Pods that are there before.
    pub(crate) fn placed(self, nodes: usize) -> Vec<Pod> {
        if !self.preempts() {
            return Vec::new();
        }
        let placed = |index: usize| {
            let name = format!("low-{index:07}");
            let node = format!("node-{:05}", index / LOW_PODS);
            let pod = pod(&name).label("app", "low").cpu("100m").node(&node);
            pod.ready().build()
        };
        (0..nodes * LOW_PODS).map(placed).collect()
    }

    pub(crate) fn pod(self, index: usize) -> Pod {
        let set = match self {
            Self::Deployments => index * DEPLOYMENTS / 10_000,
            Self::Strangers => index,
            Self::AntiAffinity => index / 500,
            _ => 0,
        };
        let owner = replica_set(&format!("set-{set}"), 1).build();
        let name = format!("web-{set:05}-{index:07}");
        let pod = pod(&name)
            .cpu("10m")
            .memory("16Mi")
            .label("set", &set.to_string())
            .owned_by(&owner);
        let mut pod = match self {
            Self::Unschedulable => pod.cpu("100"),
            Self::Preemption | Self::PreemptionNear => pod.cpu("170m"),
            _ => pod,
        }
        .build();
        match self {
            Self::NodeAffinity => pod.spec.affinity = Some(Box::new(two_zones())),
            Self::AntiAffinity => pod.spec.affinity = Some(Box::new(away_from(set))),
            Self::PreferredAffinity => pod.spec.affinity = Some(Box::new(rather_near(set))),
            Self::TopologySpread => pod.spec.topology_spread_constraints = vec![over_zones(set)],
            Self::Preemption => pod.spec.priority = Some(10),
            Self::PreemptionNear => {
                pod.spec.priority = Some(10);
                pod.spec.affinity = Some(Box::new(near_low()));
            }
            _ => {}
        }
        pod
    }
}

fn of_set(set: usize) -> Option<LabelSelector> {
    Some(format!("set={set}").parse().expect("the selector is sound"))
}

fn two_zones() -> Affinity {
    let zones = NodeSelectorRequirement {
        key: ZONE.to_owned(),
        values: vec!["zone-1".to_owned(), "zone-2".to_owned()],
        ..NodeSelectorRequirement::default()
    };
    let term = NodeSelectorTerm {
        match_expressions: vec![zones],
        ..NodeSelectorTerm::default()
    };
    let required = NodeSelector {
        node_selector_terms: vec![term],
    };
    Affinity {
        node_affinity: Some(NodeAffinity {
            required_during_scheduling_ignored_during_execution: Some(required),
            ..NodeAffinity::default()
        }),
        ..Affinity::default()
    }
}

fn on_a_node_with(set: usize) -> PodAffinityTerm {
    PodAffinityTerm {
        label_selector: of_set(set),
        topology_key: HOSTNAME.to_owned(),
        ..PodAffinityTerm::default()
    }
}

fn away_from(set: usize) -> Affinity {
    Affinity {
        pod_anti_affinity: Some(PodAntiAffinity {
            required_during_scheduling_ignored_during_execution: vec![on_a_node_with(set)],
            ..PodAntiAffinity::default()
        }),
        ..Affinity::default()
    }
}

fn near_low() -> Affinity {
    let term = PodAffinityTerm {
        label_selector: Some("app=low".parse().expect("the selector is sound")),
        topology_key: ZONE.to_owned(),
        ..PodAffinityTerm::default()
    };
    Affinity {
        pod_affinity: Some(PodAffinity {
            required_during_scheduling_ignored_during_execution: vec![term],
            ..PodAffinity::default()
        }),
        ..Affinity::default()
    }
}

fn rather_near(set: usize) -> Affinity {
    let term = WeightedPodAffinityTerm {
        weight: 1,
        pod_affinity_term: on_a_node_with(set),
    };
    Affinity {
        pod_affinity: Some(PodAffinity {
            preferred_during_scheduling_ignored_during_execution: vec![term],
            ..PodAffinity::default()
        }),
        ..Affinity::default()
    }
}

fn over_zones(set: usize) -> TopologySpreadConstraint {
    TopologySpreadConstraint {
        max_skew: 5,
        topology_key: ZONE.to_owned(),
        label_selector: of_set(set),
        ..TopologySpreadConstraint::default()
    }
}
