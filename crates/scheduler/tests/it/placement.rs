//! Where pods go.

use expect_test::expect;
use skep_api::{Pod, Protocol, TaintEffect};
use skep_testkit::{at, node, pod, replica_set};

use crate::cluster::{check, cluster, told};

/// Equal pods of one replica set.
fn copies(name: &str, count: usize, cpu: &str) -> Vec<Pod> {
    let set = replica_set(name, 1).build();
    (0..count)
        .map(|index| pod(&format!("{name}-{index}")).cpu(cpu).owned_by(&set).build())
        .collect()
}

#[test]
fn copies_are_spread_over_the_nodes() {
    let nodes = ["a", "b", "c"].map(|name| node(name).build());
    check(
        &cluster(nodes).pending(copies("web", 6, "100m")),
        &expect![[r#"
        web-0 -> a
        web-1 -> b
        web-2 -> c
        web-3 -> a
        web-4 -> b
        web-5 -> c
    "#]],
    );
}

#[test]
fn copies_go_where_there_is_room_once_small_nodes_are_full() {
    let nodes = [node("large").cpu("16").build(), node("small").cpu("1").build()];
    check(
        &cluster(nodes).pending(copies("web", 6, "400m")),
        &expect![[r#"
        web-0 -> large
        web-1 -> small
        web-2 -> large
        web-3 -> large
        web-4 -> small
        web-5 -> large
    "#]],
    );
}

#[test]
fn pods_without_requests_are_spread_as_well() {
    let nodes = ["a", "b"].map(|name| node(name).build());
    let pods = ["one", "two", "three"].map(|name| pod(name).build());
    check(
        &cluster(nodes).pending(pods),
        &expect![[r#"
        one -> a
        two -> b
        three -> a
    "#]],
    );
}

#[test]
fn emptier_node_is_taken_first() {
    let nodes = ["a", "b"].map(|name| node(name).build());
    let busy = pod("old").cpu("3").memory("12Gi").node("a").ready().build();
    check(
        &cluster(nodes)
            .with([busy])
            .pending([pod("web").cpu("100m").build()]),
        &expect![[r#"
            web -> b
        "#]],
    );
}

#[test]
fn node_whose_cpu_and_memory_are_used_evenly_is_taken_among_equally_full_ones() {
    let nodes = ["a", "b"].map(|name| node(name).cpu("10").memory("10Gi").build());
    let bound = [
        pod("cpu-heavy").cpu("6").memory("2Gi").node("a").ready().build(),
        pod("memory-heavy")
            .cpu("2")
            .memory("6Gi")
            .node("b")
            .ready()
            .build(),
    ];
    check(
        &cluster(nodes)
            .with(bound)
            .pending([pod("web").cpu("2").memory("1Gi").build()]),
        &expect![[r#"
            web -> b
        "#]],
    );
}

#[test]
fn soft_taint_is_the_last_resort() {
    let nodes = [
        node("a").taint("spot", "", TaintEffect::PreferNoSchedule).build(),
        node("b").cpu("1").build(),
    ];
    check(
        &cluster(nodes).pending(copies("web", 3, "400m")),
        &expect![[r#"
        web-0 -> b
        web-1 -> b
        web-2 -> a
    "#]],
    );
}

#[test]
fn tolerations_open_cordoned_tainted_and_silent_nodes() {
    let nodes = [
        node("cordoned").cordoned().build(),
        node("silent").not_ready().build(),
        node("tainted")
            .taint("dedicated", "db", TaintEffect::NoSchedule)
            .build(),
    ];
    let pending = [
        pod("one").tolerates("node.kubernetes.io/unschedulable").build(),
        pod("two").tolerates("node.kubernetes.io/not-ready").build(),
        pod("three").tolerates("dedicated").build(),
        pod("four").tolerates("").build(),
    ];
    check(
        &cluster(nodes).pending(pending),
        &expect![[r#"
        one -> cordoned
        two -> silent
        three -> tainted
        four -> cordoned
    "#]],
    );
}

#[test]
fn host_ports_conflict_on_overlapping_addresses_of_one_protocol() {
    let nodes = [node("a").build()];
    let port = |name: &str, ip: &str, protocol| pod(name).host_port_on(ip, 53, protocol).build();
    let pending = [
        port("one", "10.0.0.1", Protocol::Tcp),
        port("two", "10.0.0.2", Protocol::Tcp),
        port("same", "10.0.0.1", Protocol::Tcp),
        port("all", "0.0.0.0", Protocol::Tcp),
        port("all-udp", "", Protocol::Udp),
        port("one-udp", "10.0.0.1", Protocol::Udp),
    ];
    check(
        &cluster(nodes).pending(pending),
        &expect![[r#"
        one -> a
        two -> a
        same -> pending: 0/1 nodes fit: 1 has the host port 10.0.0.1:53/TCP taken
        all -> pending: 0/1 nodes fit: 1 has the host port 53/TCP taken
        all-udp -> a
        one-udp -> pending: 0/1 nodes fit: 1 has the host port 10.0.0.1:53/UDP taken
    "#]],
    );
}

#[test]
fn ended_pods_make_room_and_ending_ones_do_not_yet() {
    let nodes = [node("a").cpu("2").build()];
    let bound = [
        pod("done").cpu("1").node("a").succeeded().build(),
        pod("ending").cpu("1").node("a").ready().deleting(at(5)).build(),
    ];
    check(
        &cluster(nodes).with(bound).pending(copies("web", 2, "1")),
        &expect![[r#"
            web-0 -> a
            web-1 -> pending: 0/1 nodes fit: 1 has too little cpu (1 wanted, 0 free at most)
        "#]],
    );
}

#[test]
fn neediest_init_container_counts_where_it_needs_more_than_all_others() {
    let nodes = [node("a").cpu("1").build()];
    let pending = [
        pod("init")
            .cpu("100m")
            .sidecar("side", "100m")
            .init("migrate", "900m")
            .build(),
        pod("more").cpu("200m").build(),
        pod("little").cpu("100m").build(),
    ];
    check(
        &cluster(nodes).pending(pending),
        &expect![[r#"
        init -> a
        more -> pending: 0/1 nodes fit: 1 has too little cpu (200m wanted, 100m free at most)
        little -> a
    "#]],
    );
}

#[test]
fn extended_resources_and_pods_are_counted() {
    let nodes = [node("a").resource("example.com/gpu", "2").pods(3).build()];
    let gpu = |name: &str| pod(name).request("example.com/gpu", "1").build();
    let pending = [
        gpu("one"),
        gpu("two"),
        gpu("three"),
        pod("four").build(),
        pod("five").build(),
    ];
    check(
        &cluster(nodes).pending(pending),
        &expect![[r#"
        one -> a
        two -> a
        three -> pending: 0/1 nodes fit: 1 has too little example.com/gpu (1 wanted, 0 free at most)
        four -> a
        five -> pending: 0/1 nodes fit: 1 has no room for more pods
    "#]],
    );
}

#[test]
fn changes_are_followed_without_starting_anew() {
    let cluster = cluster(["a", "b"].map(|name| node(name).cpu("1").build()));
    let mut scheduler = cluster.scheduler();
    let place = |scheduler: &mut skep_scheduler::Scheduler, name: &str| {
        told(&scheduler.schedule(&[&pod(name).cpu("800m").build()]))
    };
    assert_eq!(place(&mut scheduler, "one"), "one -> a\n");
    assert_eq!(place(&mut scheduler, "two"), "two -> b\n");
    // The same pod again is not counted twice, and one that ended or is gone makes room.
    scheduler.pod(&pod("one").cpu("800m").node("a").ready().build());
    scheduler.pod(&pod("one").cpu("800m").node("a").succeeded().build());
    assert_eq!(place(&mut scheduler, "three"), "three -> a\n");
    scheduler.remove_pod("pod-default-two");
    assert_eq!(place(&mut scheduler, "four"), "four -> b\n");
    // A node that goes and comes back still has its pods.
    scheduler.remove_node("b");
    assert!(place(&mut scheduler, "five").starts_with("five -> pending: 0/1 nodes fit"));
    scheduler.node(&node("b").cpu("2").build());
    assert_eq!(place(&mut scheduler, "five"), "five -> b\n");
    // A placement that was not carried out is taken back.
    scheduler.pod(&pod("five").cpu("800m").build());
    assert_eq!(place(&mut scheduler, "six"), "six -> b\n");
}
