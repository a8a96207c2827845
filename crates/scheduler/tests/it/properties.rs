//! Whatever the cluster: nothing is overcommitted, every placement is feasible, every refusal is right, and neither the order of
//! facts nor the grouping of equal pods makes a difference. The judge is a slow, obvious check of its own.

use std::collections::BTreeMap;

use proptest::prelude::*;
use skep_api::{
    ConditionStatus, ContainerPort, Node, NodeCondition, NodeConditionType, Pod, Quantity, TaintEffect,
};
use skep_scheduler::{Outcome, Scheduler};
use skep_testkit::{NodeBuilder, PodBuilder, node, pod, replica_set};

use crate::cluster::{Cluster, told};

fn some_node(index: usize) -> impl Strategy<Value = Node> {
    let flag = prop::bool::weighted(0.15);
    (
        1..5_u32,
        1..5_u32,
        1..6_u32,
        0..3_u32,
        flag,
        flag,
        flag,
        flag,
        any::<bool>(),
    )
        .prop_map(
            move |(cpu, memory, pods, gpus, cordoned, silent, hard, soft, ssd)| {
                let when = |holds: bool, node: NodeBuilder, make: fn(NodeBuilder) -> NodeBuilder| {
                    if holds { make(node) } else { node }
                };
                let mut node = node(&format!("n{index}"))
                    .cpu(&cpu.to_string())
                    .memory(&format!("{memory}Gi"))
                    .pods(pods);
                node = node.resource("example.com/gpu", &gpus.to_string());
                node = when(cordoned, node, NodeBuilder::cordoned);
                node = when(silent, node, NodeBuilder::not_ready);
                node = when(hard, node, |node| {
                    node.taint("dedicated", "db", TaintEffect::NoSchedule)
                });
                node = when(soft, node, |node| {
                    node.taint("spot", "", TaintEffect::PreferNoSchedule)
                });
                when(ssd, node, |node| node.label("disk", "ssd")).build()
            },
        )
}

fn some_pod(index: usize) -> impl Strategy<Value = Pod> {
    let kind = (
        0..4_u32,
        0..4_u32,
        0..2_u32,
        0..3_i32,
        any::<bool>(),
        any::<bool>(),
        0..4_u32,
    );
    (kind, prop::bool::weighted(0.3)).prop_map(
        move |((cpu, memory, gpus, port, ssd, tolerates, owner), plain)| {
            let when = |holds: bool, pod: PodBuilder, make: fn(PodBuilder) -> PodBuilder| {
                if holds { make(pod) } else { pod }
            };
            let set = replica_set(&format!("set-{owner}"), 1).build();
            let pod = pod(&format!("p{index:02}")).owned_by(&set);
            if plain {
                return pod.cpu("500m").build();
            }
            let mut pod = pod
                .cpu(&format!("{}m", cpu * 400))
                .memory(&format!("{}Mi", memory * 600));
            pod = pod.request("example.com/gpu", &gpus.to_string());
            pod = when(port == 1, pod, |pod| pod.host_port(80));
            pod = when(port == 2, pod, |pod| {
                pod.host_port_on("10.0.0.1", 80, skep_api::Protocol::Tcp)
            });
            pod = when(ssd, pod, |pod| pod.node_selector("disk", "ssd"));
            when(tolerates, pod, |pod| pod.tolerates("dedicated")).build()
        },
    )
}

fn some_cluster() -> impl Strategy<Value = Cluster> {
    let nodes: Vec<_> = (0..5).map(some_node).collect();
    let pods: Vec<_> = (0..24).map(some_pod).collect();
    (nodes, 1..=5_usize, pods, 0..=24_usize).prop_map(|(mut nodes, kept, mut pending, count)| {
        nodes.truncate(kept);
        pending.truncate(count);
        Cluster {
            nodes,
            pending,
            bound: Vec::new(),
        }
    })
}

/// The obvious check: may this pod go to this node beside these pods?
fn feasible(pod: &Pod, node: &Node, beside: &[&Pod]) -> bool {
    let spec = &pod.spec;
    let ready = NodeCondition::find(&node.status.conditions, NodeConditionType::Ready);
    let taints = node
        .spec
        .taints
        .iter()
        .filter(|taint| taint.effect != TaintEffect::PreferNoSchedule);
    ready.is_some_and(|ready| ready.status == ConditionStatus::True)
        && !node.spec.unschedulable
        && taints.clone().all(|taint| {
            spec.tolerations
                .iter()
                .any(|toleration| toleration.tolerates(taint))
        })
        && spec
            .node_selector
            .iter()
            .all(|(key, value)| node.metadata.labels.get(key) == Some(value))
        && enough_of_everything(pod, node, beside)
        && !spec.host_ports().any(|port| {
            beside
                .iter()
                .any(|other| other.spec.host_ports().any(|o| clash(port, o)))
        })
}

fn enough_of_everything(pod: &Pod, node: &Node, beside: &[&Pod]) -> bool {
    let mut wanted: BTreeMap<String, Quantity> = BTreeMap::new();
    for pod in beside.iter().copied().chain([pod]) {
        for (name, amount) in pod.requests() {
            *wanted.entry(name).or_default() += amount;
        }
    }
    let pods = i64::try_from(beside.len()).expect("pods are few") + 1;
    wanted.insert("pods".to_owned(), Quantity::from_units(pods));
    let mine = pod.requests();
    wanted
        .iter()
        .filter(|(name, _)| *name == "pods" || mine.get(*name).is_some_and(|amount| !amount.is_zero()))
        .all(|(name, amount)| *amount <= node.status.allocatable.get(name).copied().unwrap_or_default())
}

fn clash(one: &ContainerPort, other: &ContainerPort) -> bool {
    let everywhere = |port: &ContainerPort| port.host_ip.is_empty() || port.host_ip == "0.0.0.0";
    one.host_port == other.host_port
        && one.protocol == other.protocol
        && (everywhere(one) || everywhere(other) || one.host_ip == other.host_ip)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn placements_are_feasible_and_refusals_are_right(cluster in some_cluster()) {
        let mut placed: BTreeMap<String, Vec<&Pod>> = BTreeMap::new();
        for (pod, decision) in cluster.pending.iter().zip(cluster.decide()) {
            let beside = |node: &Node| placed.get(&node.metadata.name).cloned().unwrap_or_default();
            match decision.outcome {
                Outcome::Bind { node: name } => {
                    let node = cluster.nodes.iter().find(|node| node.metadata.name == name).unwrap();
                    prop_assert!(feasible(pod, node, &beside(node)), "{} on {name}", pod.metadata.name);
                    placed.entry(name).or_default().push(pod);
                }
                Outcome::Preempt { .. } => prop_assert!(false, "nobody has a higher priority"),
                Outcome::Wait(explanation) => {
                    let fits = cluster.nodes.iter().find(|node| feasible(pod, node, &beside(node)));
                    prop_assert!(fits.is_none(), "{} fits: {explanation}", pod.metadata.name);
                    let told: usize = explanation.rejections.iter().map(|(_, count)| count).sum();
                    prop_assert!(told >= cluster.nodes.len(), "{explanation}");
                }
            }
        }
    }

    #[test]
    fn batch_is_decided_as_if_one_by_one(cluster in some_cluster()) {
        let mut scheduler = cluster.scheduler();
        let alone: Vec<_> = cluster.pending.iter().flat_map(|pod| scheduler.schedule(&[pod])).collect();
        prop_assert_eq!(told(&cluster.decide()), told(&alone));
    }

    #[test]
    fn order_of_facts_makes_no_difference(cluster in some_cluster(), more in prop::collection::vec(some_pod(90), 0..3)) {
        let decisions = cluster.decide();
        let bound: Vec<Pod> = cluster.pending.iter().zip(&decisions).filter_map(|(pod, decision)| {
            let mut pod = pod.clone();
            pod.spec.node_name = decision.outcome.bound_to()?.to_owned();
            Some(pod)
        }).collect();
        let more: Vec<&Pod> = more.iter().collect();
        let mut forwards = Scheduler::new();
        cluster.nodes.iter().for_each(|node| forwards.node(node));
        bound.iter().for_each(|pod| forwards.pod(pod));
        let mut backwards = Scheduler::new();
        bound.iter().rev().for_each(|pod| backwards.pod(pod));
        cluster.nodes.iter().rev().for_each(|node| backwards.node(node));
        prop_assert_eq!(told(&forwards.schedule(&more)), told(&backwards.schedule(&more)));
    }
}
