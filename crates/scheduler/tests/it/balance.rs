//! What rebalancing asks: which pods are misplaced, how full nodes are, and what a move comes to.

use expect_test::expect;
use skep_api::{Pod, TaintEffect};
use skep_scheduler::{Relocation, Scheduler, Unmoved};
use skep_testkit::{node, pod, replica_set};

use crate::cluster::cluster;

fn misplaced(scheduler: &mut Scheduler) -> String {
    let told = scheduler.misplaced().into_iter();
    let told = told.map(|one| format!("{} on {}", one.pod.name, one.why.of_node(&one.node)));
    told.collect::<Vec<_>>().join("\n")
}

fn percents(relocation: &Relocation) -> String {
    let percent = |fullness: skep_scheduler::Fullness| fullness.most() / 10_000;
    format!(
        "{} {}% -> {}%, {} {}% -> {}%",
        relocation.from,
        percent(relocation.left[0]),
        percent(relocation.left[1]),
        relocation.to,
        percent(relocation.joined[0]),
        percent(relocation.joined[1])
    )
}

#[test]
fn a_pod_is_misplaced_where_it_would_not_be_placed_any_more() {
    let mut scheduler = cluster([
        node("a")
            .label("disk", "hdd")
            .taint("dedicated", "db", TaintEffect::NoSchedule)
            .build(),
        node("b").cpu("1").build(),
        node("c").build(),
    ])
    .with([
        pod("tainted").node("a").build(),
        pod("wrong-disk")
            .node("a")
            .node_selector("disk", "ssd")
            .tolerates("dedicated")
            .build(),
        pod("welcome").node("a").tolerates("dedicated").build(),
        pod("large").node("b").cpu("800m").build(),
        pod("larger").node("b").cpu("900m").build(),
        pod("fine").node("c").cpu("3").build(),
    ])
    .scheduler();
    expect![[r#"
        tainted on a has the taint dedicated=db:NoSchedule, which it does not tolerate
        wrong-disk on a lacks the label disk=ssd
        large on b has too little cpu
        larger on b has too little cpu"#]]
    .assert_eq(&misplaced(&mut scheduler));
}

#[test]
fn a_nodes_condition_is_no_reason_to_move_its_pods() {
    let mut scheduler = cluster([
        node("a").cordoned().build(),
        node("b").not_ready().build(),
        node("c")
            .taint("node.kubernetes.io/memory-pressure", "", TaintEffect::NoSchedule)
            .build(),
    ])
    .with([
        pod("on-a").node("a").build(),
        pod("on-b").node("b").build(),
        pod("on-c").node("c").build(),
    ])
    .scheduler();
    assert_eq!(misplaced(&mut scheduler), "");
}

#[test]
fn room_that_is_kept_for_another_does_not_make_pods_misplaced() {
    let mut nominated = pod("waits").cpu("3").build();
    nominated.status.nominated_node_name = "a".to_owned();
    let mut scheduler = cluster([node("a").cpu("4").build()])
        .with([pod("there").node("a").cpu("3").build(), nominated])
        .scheduler();
    assert_eq!(misplaced(&mut scheduler), "");
}

fn spread(name: &str, on: &str) -> Pod {
    let mut pod = pod(name).label("app", "web").node(on).build();
    let constraint = serde_json::json!({
        "maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": { "matchLabels": { "app": "web" } }
    });
    pod.spec.topology_spread_constraints = vec![serde_json::from_value(constraint).expect("it is sound")];
    pod
}

#[test]
fn pods_that_are_too_many_of_their_like_are_misplaced_until_they_are_evenly_spread() {
    let mut scheduler = cluster([node("a").build(), node("b").build()])
        .with([spread("one", "a"), spread("two", "a"), spread("three", "a")])
        .scheduler();
    let first = scheduler.misplaced();
    assert_eq!(first.len(), 3, "{first:?}");
    let moved = scheduler
        .relocate(&spread("one", "a"), |_| true)
        .expect("it is sound");
    assert_eq!(moved.to, "b");
    assert_eq!(misplaced(&mut scheduler), "");
}

#[test]
fn a_move_is_told_in_numbers_and_one_that_nobody_wants_changes_nothing() {
    let set = replica_set("web", 2).build();
    let web = pod("web").owned_by(&set).cpu("2").node("a").build();
    let mut scheduler = cluster([node("a").build(), node("b").build()])
        .with([web.clone(), pod("other").cpu("1").node("a").build()])
        .scheduler();
    let before = scheduler.fullness();
    let refused = scheduler.relocate(&web, |_| false).expect_err("it is refused");
    let Unmoved::Unwanted(refused) = refused else {
        panic!("{refused:?}")
    };
    expect!["a 75% -> 25%, b 0% -> 50%"].assert_eq(&percents(&refused));
    assert_eq!(scheduler.fullness(), before);
    let moved = scheduler.relocate(&web, |_| true).expect("it is sound");
    assert_eq!(moved, refused);
    expect!["a 75% -> 25%, b 0% -> 50%"].assert_eq(&percents(&moved));
    let now: Vec<u64> = scheduler
        .fullness()
        .iter()
        .map(|node| node.fullness.most())
        .collect();
    assert_eq!(now, [250_000, 500_000]);
}

#[test]
fn a_pod_stays_where_no_other_node_has_a_place_or_the_scheduler_likes_its_own_best() {
    let web = pod("web").cpu("3").node("a").build();
    let mut scheduler = cluster([node("a").cpu("8").build(), node("b").cpu("2").build()])
        .with([web.clone()])
        .scheduler();
    assert_eq!(scheduler.relocate(&web, |_| true), Err(Unmoved::Stays));
    let large = pod("large").cpu("5").node("a").build();
    scheduler.pod(&large);
    let refused = scheduler.relocate(&large, |_| true).expect_err("it is refused");
    let Unmoved::NoRoom(why) = refused else {
        panic!("{refused:?}")
    };
    assert!(why.to_string().contains("too little cpu"), "{why}");
    assert!(scheduler.check(&pod("probe").cpu("500m").build(), "b").is_ok());
}

#[test]
fn a_pod_that_others_must_be_near_is_not_taken_from_them() {
    let near = |name: &str| {
        let mut pod = pod(name).node("a").build();
        let affinity = serde_json::json!({ "podAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": [
            { "topologyKey": "kubernetes.io/hostname", "labelSelector": { "matchLabels": { "app": "db" } } }
        ] } });
        pod.spec.affinity = Some(serde_json::from_value(affinity).expect("it is sound"));
        pod
    };
    let db = pod("db").label("app", "db").cpu("2").node("a").build();
    let mut scheduler = cluster([node("a").build(), node("b").build()])
        .with([db.clone(), near("client")])
        .scheduler();
    let before = scheduler.fullness();
    let refused = scheduler.relocate(&db, |_| true).expect_err("it is refused");
    assert!(matches!(refused, Unmoved::Harms(_)), "{refused:?}");
    assert_eq!(scheduler.fullness(), before);
    assert_eq!(misplaced(&mut scheduler), "");
    // With a second one at hand it may go.
    scheduler.pod(&pod("standby").label("app", "db").node("a").build());
    scheduler.relocate(&db, |_| true).expect("it is sound");
}
