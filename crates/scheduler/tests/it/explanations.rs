//! What is said about a pod that fits nowhere.

use expect_test::expect;
use skep_api::{NodeConditionType, Protocol, TaintEffect};
use skep_testkit::{node, pod};

use crate::cluster::{check, cluster};

#[test]
fn each_reason_is_counted_and_the_most_frequent_comes_first() {
    let nodes = [
        node("a").cpu("1").build(),
        node("b").cpu("1").build(),
        node("c").cordoned().build(),
    ];
    let taken = ["a", "b"].map(|name| pod(&format!("old-{name}")).cpu("900m").node(name).ready().build());
    let web = pod("web").cpu("250m").build();
    check(
        &cluster(nodes).with(taken).pending([web]),
        &expect![[r#"
            web -> pending: 0/3 nodes fit: 2 have too little cpu (250m wanted, 100m free at most), 1 is cordoned; closest is a, which lacks 150m cpu
        "#]],
    );
}

#[test]
fn pod_that_is_larger_than_every_node_can_never_fit() {
    let nodes = [
        node("a").cpu("4").memory("8Gi").build(),
        node("b").cpu("8").memory("4Gi").build(),
    ];
    let huge = pod("huge").cpu("64").memory("6Gi").build();
    let scheduled = cluster(nodes).pending([huge]);
    check(
        &scheduled,
        &expect![[r#"
        huge -> pending: 0/2 nodes fit: 2 have too little cpu (64 wanted, 8 free at most), 1 has too little memory (6Gi wanted, 4Gi free at most); it can never fit: 64 cpu wanted, the largest node has 8
    "#]],
    );
    assert!(scheduled.decide()[0].outcome.explanation().unwrap().never_fits());
}

#[test]
fn every_obstacle_has_its_words() {
    let nodes = [
        node("cordoned").cordoned().build(),
        node("not-ready").not_ready().build(),
        node("lost")
            .condition(NodeConditionType::Ready, skep_api::ConditionStatus::Unknown)
            .build(),
        node("wrong-disk").label("disk", "hdd").build(),
        node("tainted")
            .label("disk", "ssd")
            .taint("dedicated", "db", TaintEffect::NoSchedule)
            .build(),
        node("driving-out")
            .label("disk", "ssd")
            .taint("broken", "", TaintEffect::NoExecute)
            .build(),
        node("full").label("disk", "ssd").pods(1).build(),
        node("busy").label("disk", "ssd").build(),
        node("small")
            .label("disk", "ssd")
            .memory("1Gi")
            .cpu("100m")
            .build(),
        node("no-gpu").label("disk", "ssd").build(),
    ];
    let bound = [
        pod("one").node("full").ready().build(),
        pod("two")
            .node("busy")
            .host_port_on("10.0.0.1", 80, Protocol::Tcp)
            .ready()
            .build(),
    ];
    let web = pod("web")
        .cpu("1")
        .memory("2Gi")
        .node_selector("disk", "ssd")
        .host_port(80);
    let gpu = pod("gpu")
        .request("example.com/gpu", "1")
        .node_selector("kubernetes.io/hostname", "no-gpu");
    let pending = [web.build(), gpu.build()];
    let mut cluster = cluster(nodes).with(bound).pending(pending);
    cluster.nodes.last_mut().unwrap().spec.unschedulable = false;
    cluster.pending[0]
        .spec
        .node_selector
        .insert("zone".to_owned(), "x".to_owned());
    check(
        &cluster,
        &expect![[r#"
            web -> pending: 0/10 nodes fit: 6 lack the label zone=x, 2 are not ready, 1 is cordoned, 1 lacks the label disk=ssd; no node has a label zone
            gpu -> pending: 0/10 nodes fit: 6 lack the label kubernetes.io/hostname=no-gpu, 2 are not ready, 1 is cordoned, 1 has too little example.com/gpu (1 wanted, 0 free at most); it can never fit: 1 example.com/gpu wanted, the largest node has 0
        "#]],
    );
    cluster.pending[0].spec.node_selector.remove("zone");
    cluster.nodes.pop();
    check(
        &cluster,
        &expect![[r#"
            web -> pending: 0/9 nodes fit: 2 are not ready, 1 is cordoned, 1 lacks the label disk=ssd, 1 has the taint broken:NoExecute, which it does not tolerate, 1 has the taint dedicated=db:NoSchedule, which it does not tolerate, 1 has no room for more pods, 1 has too little cpu (1 wanted, 100m free at most), 1 has too little memory (2Gi wanted, 1Gi free at most), 1 has the host port 80/TCP taken; closest is small, which lacks 900m cpu and 1Gi memory
            gpu -> pending: 0/9 nodes fit: 6 lack the label kubernetes.io/hostname=no-gpu, 2 are not ready, 1 is cordoned; it can never fit: 1 example.com/gpu wanted, the largest node has 0; no node has kubernetes.io/hostname=no-gpu, but some have busy, cordoned, driving-out, full, lost and 4 more
        "#]],
    );
}

#[test]
fn pod_that_names_its_node_goes_nowhere_else() {
    let nodes = [node("a").build(), node("b").cordoned().build(), node("c").build()];
    check(
        &cluster(nodes.clone()).pending([pod("web").node("b").build()]),
        &expect![[r#"
            web -> pending: 0/3 nodes fit: 2 are not b, the node it names, 1 is cordoned
        "#]],
    );
    check(
        &cluster(nodes).pending([pod("web").node("c").build()]),
        &expect![[r#"
            web -> c
        "#]],
    );
}

#[test]
fn what_is_asked_for_and_nowhere_to_be_had_is_named_with_what_there_is() {
    let nodes = [
        node("a").label("pool", "general").label("gen", "6").build(),
        node("b").label("pool", "spot").build(),
    ];
    let affine = |terms: serde_json::Value| {
        let affinity = serde_json::json!({ "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": { "nodeSelectorTerms": terms }
        } });
        let mut pod = pod("affine").build();
        pod.spec.affinity = Some(serde_json::from_value(affinity).expect("it is sound"));
        pod
    };
    let all = serde_json::json!([
        { "matchExpressions": [
            { "key": "gen", "operator": "Gt", "values": ["6"] },
            { "key": "gen", "operator": "Lt", "values": ["9"] },
            { "key": "disk", "operator": "In", "values": ["ssd", "nvme"] },
            { "key": "zone", "operator": "In", "values": ["x"] },
        ] },
        { "matchExpressions": [
            { "key": "pool", "operator": "NotIn", "values": ["general", "spot"] },
            { "key": "disk", "operator": "NotIn", "values": ["hdd"] },
            { "key": "gpu", "operator": "Exists" },
            { "key": "pool", "operator": "DoesNotExist" },
        ] },
    ]);
    let many: Vec<String> = (0..100).map(|index| format!("value-{index}")).collect();
    let long =
        serde_json::json!([{ "matchExpressions": [{ "key": "disk", "operator": "In", "values": many }] }]);
    let pending = [
        pod("misspelt").node_selector("pool", "genral").build(),
        pod("unknown").node_selector("disk", "ssd").build(),
        pod("elsewhere")
            .node_selector("pool", "spot")
            .node_selector("gen", "6")
            .build(),
        affine(all),
        affine(long),
    ];
    check(
        &cluster(nodes).pending(pending),
        &expect![[r#"
        misspelt -> pending: 0/2 nodes fit: 2 lack the label pool=genral; no node has pool=genral, but some have general, spot
        unknown -> pending: 0/2 nodes fit: 2 lack the label disk=ssd; no node has a label disk
        elsewhere -> pending: 0/2 nodes fit: 1 lacks the label gen=6, 1 lacks the label pool=spot
        affine -> pending: 0/2 nodes fit: 2 do not match its node affinity (gen>6 and gen<9 and disk in (ssd,nvme) and zone=x or pool notin (general,spot) and disk!=hdd and gpu and !pool)
        affine -> pending: 0/2 nodes fit: 2 do not match its node affinity (disk in (value-0,value-1,value-2,value-3,value-4,value-5,value-6,value-7,value-8,value-9,value-10,value-11,value-12,value-13,value-14,value-15,value-16,value-17…)
    "#]],
    );
}

#[test]
fn cluster_without_nodes_says_so() {
    check(
        &cluster([]).pending([pod("web").build()]),
        &expect![[r#"
        web -> pending: 0/0 nodes fit: the cluster has no nodes yet
    "#]],
    );
}

#[test]
fn amounts_are_readable_and_never_too_large() {
    let nodes = [node("a").memory("33544364032").build()];
    check(
        &cluster(nodes).pending([pod("web").memory("40Gi").build()]),
        &expect![[r#"
            web -> pending: 0/1 nodes fit: 1 has too little memory (40Gi wanted, 31Gi free at most); it can never fit: 40Gi memory wanted, the largest node has 31Gi
        "#]],
    );
}

#[test]
fn one_node_is_asked_about_without_placing_anything() {
    let cluster = cluster([node("a").cpu("1").build(), node("b").cordoned().build()]);
    let mut scheduler = cluster.scheduler();
    let web = pod("web").cpu("800m").build();
    for _ in 0..2 {
        assert_eq!(scheduler.check(&web, "a"), Ok(()));
    }
    assert_eq!(
        scheduler.check(&web, "b"),
        Err(vec![skep_scheduler::Rejection::Cordoned])
    );
    assert_eq!(scheduler.check(&web, "gone"), Err(Vec::new()));
}

#[test]
fn many_different_reasons_are_cut() {
    let nodes = (10..30).map(|index| {
        node(&format!("n{index}"))
            .taint("owner", &format!("team-{index}"), TaintEffect::NoSchedule)
            .build()
    });
    check(
        &cluster(nodes).pending([pod("web").build()]),
        &expect![[r#"
        web -> pending: 0/20 nodes fit: 1 has the taint owner=team-10:NoSchedule, which it does not tolerate, 1 has the taint owner=team-11:NoSchedule, which it does not tolerate, 1 has the taint owner=team-12:NoSchedule, which it does not tolerate, 1 has the taint owner=team-13:NoSchedule, which it does not tolerate, 1 has the taint owner=team-14:NoSchedule, which it does not tolerate, 1 has the taint owner=team-15:NoSchedule, which it does not tolerate, 1 has the taint owner=team-16:NoSchedule, which it does not tolerate, 1 has the taint owner=team-17:NoSchedule, which it does not tolerate, 1 has the taint owner=team-18:NoSchedule, which it does not tolerate, 1 has the taint owner=team-19:NoSchedule, which it does not tolerate, 10 for other reasons
    "#]],
    );
}
