//! Nodes: addresses, taints, and what happens when one is lost.

use std::collections::BTreeSet;

use expect_test::expect;
use skep_api::{Condition, ConditionStatus, Deployment, Node, NodeConditionType, Pod, TaintEffect};
use skep_state::Propagation;
use skep_testkit::{deployment, node, pod};

use crate::sim::Sim;

fn taints(sim: &Sim, name: &str) -> Vec<String> {
    let taints = sim.get::<Node>(name).spec.taints;
    taints
        .iter()
        .map(|taint| format!("{}:{:?}", taint.key.rsplit('/').next().unwrap(), taint.effect))
        .collect()
}

#[test]
fn every_node_gets_a_block_of_its_own_and_leaves_it_behind() {
    let mut sim = Sim::empty();
    sim.create(node("given").pod_cidr("10.244.1.0/24"));
    for name in ["a", "b", "c"] {
        sim.create(node(name));
    }
    sim.settle();
    let blocks: Vec<String> = ["a", "b", "c"]
        .map(|name| sim.get::<Node>(name).spec.pod_cidr)
        .into();
    assert_eq!(blocks, ["10.244.0.0/24", "10.244.2.0/24", "10.244.3.0/24"]);
    sim.delete::<Node>("b", Propagation::Background);
    sim.create(node("d"));
    sim.settle();
    assert_eq!(sim.get::<Node>("d").spec.pod_cidr, "10.244.2.0/24");
}

#[test]
fn block_larger_than_a_node_s_own_keeps_all_of_its_addresses() {
    let mut sim = Sim::empty();
    sim.create(node("wide").pod_cidr("10.244.0.0/22"));
    sim.create(node("a"));
    sim.settle();
    assert_eq!(sim.get::<Node>("a").spec.pod_cidr, "10.244.4.0/24");
}

#[test]
fn node_without_a_free_block_waits_for_one() {
    let mut sim = Sim::empty();
    sim.settings.cluster_cidr = "10.1.0.0/23".parse().unwrap();
    for name in ["a", "b", "c"] {
        sim.create(node(name));
    }
    let blocks = |sim: &Sim| -> BTreeSet<String> {
        sim.state
            .list::<Node>(None)
            .map(|node| node.spec.pod_cidr.clone())
            .collect()
    };
    sim.settle();
    assert_eq!(
        blocks(&sim),
        ["", "10.1.0.0/24", "10.1.1.0/24"].map(str::to_owned).into()
    );
    sim.delete::<Node>("a", Propagation::Background);
    sim.settle();
    assert_eq!(sim.get::<Node>("c").spec.pod_cidr, "10.1.0.0/24");
    assert_eq!(taints(&sim, "c"), Vec::<String>::new());
}

#[test]
fn taints_follow_conditions_and_leave_those_of_others() {
    let mut sim = Sim::empty();
    let own = node("a").taint("dedicated", "db", TaintEffect::NoSchedule);
    sim.create(
        own.condition(NodeConditionType::DiskPressure, ConditionStatus::True)
            .cordoned(),
    );
    sim.settle();
    assert_eq!(
        taints(&sim, "a"),
        [
            "dedicated:NoSchedule",
            "disk-pressure:NoSchedule",
            "unschedulable:NoSchedule"
        ]
    );
    sim.edit::<Node>("a", |node| node.spec.unschedulable = false);
    sim.status::<Node>("a", |a| a.status = node("a").not_ready().build().status);
    sim.settle();
    assert_eq!(
        taints(&sim, "a"),
        [
            "dedicated:NoSchedule",
            "not-ready:NoSchedule",
            "not-ready:NoExecute"
        ]
    );
    sim.status::<Node>("a", |a| a.status = node("a").build().status);
    sim.settle();
    assert_eq!(taints(&sim, "a"), ["dedicated:NoSchedule"]);
}

#[test]
fn pods_of_a_lost_node_are_not_ready_and_are_replaced_after_a_while() {
    let mut sim = Sim::new();
    sim.create(deployment("web", 3));
    sim.create(
        pod("patient")
            .node("a")
            .tolerates_for("node.kubernetes.io/unreachable", 300),
    );
    sim.create(pod("faithful").node("a").tolerates(""));
    sim.advance(10);
    sim.transcript();
    sim.kubelet.dead.insert("a".to_owned());
    sim.advance(39);
    assert_eq!(taints(&sim, "a"), Vec::<String>::new());
    sim.advance(1);
    assert_eq!(
        taints(&sim, "a"),
        ["unreachable:NoSchedule", "unreachable:NoExecute"]
    );
    for pod in sim.state.pods_on("a") {
        let ready = Condition::find(&pod.status.conditions, "Ready").unwrap();
        assert_eq!(
            (ready.status, ready.reason.as_str()),
            (ConditionStatus::False, "NodeNotReady")
        );
    }
    sim.advance(400);
    expect![[r#"
        50s  | rev 1: 2 of 3 ready
        80s  | rev 1: 2 of 2 ready, 1 ending
        80s  | rev 1: 2 of 3 ready, 1 ending
        82s  | rev 1: 3 of 3 ready, 1 ending
    "#]]
    .assert_eq(&sim.transcript());
    let going: Vec<String> = sim
        .state
        .pods_on("a")
        .map(|pod| format!("{} {}", pod.metadata.is_deleting(), pod.status.reason))
        .collect();
    assert_eq!(
        going.iter().filter(|text| *text == "true NodeLost").count(),
        2,
        "{going:?}"
    );
    assert!(!sim.get::<Pod>("faithful").metadata.is_deleting());
    assert_eq!(sim.get::<Deployment>("web").status.available_replicas, 3);
}

#[test]
fn patience_is_measured_from_the_taint_to_the_second() {
    let mut sim = Sim::new();
    sim.create(pod("usual").node("a"));
    sim.create(
        pod("patient")
            .node("a")
            .tolerates_for("node.kubernetes.io/unreachable", 60),
    );
    sim.advance(10);
    sim.kubelet.dead.insert("a".to_owned());
    let going = |sim: &Sim, name: &str| sim.get::<Pod>(name).metadata.is_deleting();
    sim.advance(40 + 29);
    assert!(!going(&sim, "usual"));
    sim.advance(1);
    assert!(going(&sim, "usual") && !going(&sim, "patient"));
    sim.advance(29);
    assert!(!going(&sim, "patient"));
    sim.advance(1);
    assert!(going(&sim, "patient"));
}

#[test]
fn a_cluster_that_never_gives_a_node_up_leaves_its_pods_there_but_those_that_ask_to_go() {
    let mut sim = Sim::new();
    sim.settings.default_toleration = None;
    sim.create(pod("usual").node("a"));
    sim.create(
        pod("hasty")
            .node("a")
            .tolerates_for("node.kubernetes.io/unreachable", 60),
    );
    sim.advance(10);
    sim.kubelet.dead.insert("a".to_owned());
    sim.advance(24 * 3600);
    assert!(!sim.get::<Pod>("usual").metadata.is_deleting());
    assert!(!sim.get::<Pod>("usual").is_ready(), "nobody knows how it is");
    assert!(sim.get::<Pod>("hasty").metadata.is_deleting());
}

#[test]
fn node_that_is_back_in_time_keeps_its_pods() {
    let mut sim = Sim::new();
    sim.create(pod("web").node("a"));
    sim.advance(10);
    sim.kubelet.dead.insert("a".to_owned());
    sim.advance(60);
    assert!(!sim.get::<Pod>("web").is_ready());
    sim.kubelet.dead.clear();
    sim.status::<Node>("a", |a| a.status = node("a").build().status);
    sim.advance(300);
    assert_eq!(taints(&sim, "a"), Vec::<String>::new());
    assert!(!sim.get::<Pod>("web").metadata.is_deleting());
}

#[test]
fn pod_that_does_not_tolerate_a_taint_leaves_at_once() {
    let mut sim = Sim::new();
    sim.create(pod("usual").node("a"));
    sim.create(pod("gpu").node("a").tolerates("gpu"));
    sim.advance(10);
    sim.edit::<Node>("a", |a| {
        a.spec = node("a")
            .pod_cidr(&a.spec.pod_cidr)
            .taint("gpu", "", TaintEffect::NoExecute)
            .build()
            .spec;
    });
    sim.advance(5);
    assert!(sim.find::<Pod>("usual").is_none());
    assert!(sim.find::<Pod>("gpu").is_some());
}

#[test]
fn pod_stays_as_long_as_it_tolerates_a_taint_that_somebody_added() {
    let mut sim = Sim::new();
    sim.create(pod("patient").tolerates_for("maintenance", 60));
    sim.settle();
    let node = sim.get::<Pod>("patient").spec.node_name.clone();
    sim.edit::<Node>(&node, |node| {
        node.spec.taints.push(skep_api::Taint {
            key: "maintenance".to_owned(),
            effect: TaintEffect::NoExecute,
            ..skep_api::Taint::default()
        });
    });
    sim.advance(50);
    assert!(sim.find::<Pod>("patient").is_some());
    sim.advance(20);
    assert!(sim.find::<Pod>("patient").is_none());
}

#[test]
fn people_are_told_when_a_node_is_lost() {
    let mut sim = Sim::new();
    sim.create(pod("web").node("a"));
    sim.advance(10);
    sim.notes.clear();
    sim.kubelet.dead.insert("a".to_owned());
    sim.advance(45);
    let told: Vec<String> = sim
        .notes
        .iter()
        .map(|note| {
            format!(
                "{} {}: {}: {}",
                note.regarding.kind, note.regarding.name, note.reason, note.message
            )
        })
        .collect();
    expect![[r#"
        Node a: NodeNotReady: Node a status is now: NodeNotReady
        Pod web: NodeNotReady: Node is not ready"#]]
    .assert_eq(&told.join("\n"));
}
