//! Stories: what becomes of pods that have something to say about other pods, about places, and about who is more important.

use std::collections::BTreeMap;

use expect_test::expect;
use skep_api::{
    Affinity, ContainerImage, LabelSelector, Pod, PodAffinity, PodAffinityTerm, PodAntiAffinity,
    PodSchedulingGate, PreemptionPolicy, TopologySpreadConstraint,
};
use skep_scheduler::{Budget, Outcome, Scheduler, SchedulerSettings, Scoring};
use skep_testkit::{PodBuilder, node, pod};

use crate::cluster::{Cluster, check, cluster, told};

const HOST: &str = "kubernetes.io/hostname";

fn selector(text: &str) -> Option<LabelSelector> {
    Some(text.parse().expect("the selector is sound"))
}

fn term(selects: &str, topology: &str) -> PodAffinityTerm {
    PodAffinityTerm {
        label_selector: selector(selects),
        topology_key: topology.to_owned(),
        ..PodAffinityTerm::default()
    }
}

fn near(pod: PodBuilder, selects: &str, topology: &str) -> Pod {
    let mut pod = pod.build();
    let pod_affinity = Some(PodAffinity {
        required_during_scheduling_ignored_during_execution: vec![term(selects, topology)],
        ..PodAffinity::default()
    });
    pod.spec.affinity = Some(Box::new(Affinity {
        pod_affinity,
        ..Affinity::default()
    }));
    pod
}

fn away(pod: PodBuilder, selects: &str, topology: &str) -> Pod {
    let mut pod = pod.build();
    let pod_anti_affinity = Some(PodAntiAffinity {
        required_during_scheduling_ignored_during_execution: vec![term(selects, topology)],
        ..PodAntiAffinity::default()
    });
    pod.spec.affinity = Some(Box::new(Affinity {
        pod_anti_affinity,
        ..Affinity::default()
    }));
    pod
}

fn spread(pod: PodBuilder, topology: &str) -> Pod {
    let mut pod = pod.label("app", "web").build();
    pod.spec.topology_spread_constraints = vec![TopologySpreadConstraint {
        max_skew: 1,
        topology_key: topology.to_owned(),
        label_selector: selector("app=web"),
        ..TopologySpreadConstraint::default()
    }];
    pod
}

fn important(pod: PodBuilder, priority: i32) -> Pod {
    let mut pod = pod.build();
    pod.spec.priority = Some(priority);
    pod
}

fn zones() -> Cluster {
    cluster(
        [("a", "x"), ("b", "x"), ("c", "y"), ("d", "")].map(|(name, zone)| {
            let one = node(name).cpu("1");
            if zone.is_empty() {
                one.build()
            } else {
                one.label("zone", zone).build()
            }
        }),
    )
}

#[test]
fn pods_are_spread_over_zones_until_one_is_full() {
    let pods = ["1", "2", "3", "4"].map(|name| spread(pod(name).cpu("600m"), "zone"));
    check(
        &zones().pending(pods),
        &expect![[r#"
        1 -> a
        2 -> c
        3 -> b
        4 -> pending: 0/4 nodes fit: 3 have too little cpu (600m wanted, 400m free at most), 1 lacks the label zone, over which it is spread; closest is a, which lacks 200m cpu
    "#]],
    );
}

#[test]
fn anti_affinity_holds_both_ways() {
    let loner = away(pod("loner"), "app=web", "zone");
    let web = |name: &str| pod(name).label("app", "web").build();
    let crowd = ["w1", "w2"].map(web);
    let nodes = cluster([
        node("a").label("zone", "x").build(),
        node("b").label("zone", "y").build(),
    ]);
    let pods = [loner].into_iter().chain(crowd).chain([
        away(pod("second"), "app=web", "zone"),
        away(pod("third"), "app", HOST),
    ]);
    check(
        &nodes.pending(pods),
        &expect![[r#"
        loner -> a
        w1 -> b
        w2 -> b
        second -> a
        third -> a
    "#]],
    );
}

#[test]
fn first_of_its_like_goes_anywhere_and_the_others_follow() {
    let like = |name: &str| near(pod(name).label("app", "web").cpu("600m"), "app=web", "zone");
    let lost = near(pod("lost"), "app=db", "zone");
    check(
        &zones().pending([like("1"), like("2"), like("3"), lost]),
        &expect![[r#"
            1 -> a
            2 -> b
            3 -> pending: 0/4 nodes fit: 2 have too little cpu (600m wanted, 400m free at most), 2 have no pod near that it must be with (app=web by zone); closest is a, which lacks 200m cpu
            lost -> pending: 0/4 nodes fit: 4 have no pod near that it must be with (app=db by zone)
        "#]],
    );
}

#[test]
fn cheapest_victims_go_and_their_room_is_kept() {
    let placed = |name: &str, node: &str, cpu: &str, priority| {
        important(pod(name).cpu(cpu).node(node).ready(), priority)
    };
    let bound = [
        placed("a-high", "a", "1", 9),
        placed("b-low", "b", "400m", 1),
        placed("b-mid", "b", "600m", 5),
        placed("c-low1", "c", "500m", 1),
        placed("c-low2", "c", "500m", 1),
    ];
    let nodes = ["a", "b", "c"].map(|name| node(name).cpu("1").build());
    let equal = important(pod("equal").cpu("400m"), 1);
    let mut polite = important(pod("polite").cpu("400m"), 7);
    polite.spec.preemption_policy = Some(PreemptionPolicy::Never);
    let pods = [
        important(pod("first").cpu("400m"), 7),
        polite,
        important(pod("second").cpu("900m"), 7),
        important(pod("third").cpu("1"), 7),
        equal,
    ];
    check(
        &cluster(nodes).with(bound).pending(pods),
        &expect![[r#"
        first -> b after b-low
        polite -> pending: 0/3 nodes fit: 3 have too little cpu (400m wanted, 0 free at most); closest is a, which lacks 400m cpu; it may not preempt (preemptionPolicy: Never)
        second -> c after c-low1, c-low2
        third -> pending: 0/3 nodes fit: 3 have too little cpu (1 wanted, 0 free at most); closest is a, which lacks 1 cpu; preemption would not help: 1 has no pods of lower priority, 2 would not fit it even without them
        equal -> pending: 0/3 nodes fit: 3 have too little cpu (400m wanted, 0 free at most); closest is a, which lacks 400m cpu
    "#]],
    );
}

#[test]
fn budgets_are_violated_only_where_nothing_else_helps() {
    let placed = |name: &str, node: &str, priority| {
        important(pod(name).cpu("1").label("app", name).node(node).ready(), priority)
    };
    let nodes = ["a", "b"].map(|name| node(name).cpu("1").build());
    let cluster = cluster(nodes).with([placed("guarded", "a", 1), placed("free", "b", 5)]);
    let mut scheduler = cluster.scheduler();
    scheduler.budget(&Budget {
        namespace: "default".to_owned(),
        name: "guard".to_owned(),
        selector: selector("app=guarded"),
        disruptions_allowed: 0,
    });
    let pods = ["1", "2"].map(|name| important(pod(name).cpu("1"), 9));
    let decisions = scheduler.schedule(&pods.iter().collect::<Vec<_>>());
    expect![[r#"
        1 -> b after free
        2 -> a after guarded
    "#]]
    .assert_eq(&told(&decisions));
    let violated = |outcome: &Outcome| match outcome {
        Outcome::Preempt { victims, .. } => victims[0].violates_budget,
        _ => panic!("{outcome:?}"),
    };
    assert_eq!(
        decisions
            .iter()
            .map(|one| violated(&one.outcome))
            .collect::<Vec<_>>(),
        [false, true]
    );
}

#[test]
fn nominated_node_is_taken_once_its_victims_are_gone() {
    let low = important(pod("low").cpu("1").node("b").ready(), 1);
    let blocker = important(pod("blocker").cpu("1").node("a").ready(), 9);
    let cluster = cluster(["a", "b"].map(|name| node(name).cpu("1").build())).with([low, blocker]);
    let mut scheduler = cluster.scheduler();
    let mut high = important(pod("high").cpu("1"), 5);
    assert_eq!(told(&scheduler.schedule(&[&high])), "high -> b after low\n");
    high.status.nominated_node_name = "b".to_owned();
    scheduler.pod(&high);
    assert_eq!(told(&scheduler.schedule(&[&high])), "high -> b after \n");
    scheduler.remove_pod("pod-default-low");
    let rival = important(pod("rival").cpu("1"), 5);
    let lines = told(&scheduler.schedule(&[&rival]));
    assert!(
        lines.starts_with("rival -> pending: 0/2 nodes fit: 2 have too little cpu"),
        "{lines}"
    );
    assert_eq!(told(&scheduler.schedule(&[&high])), "high -> b\n");
}

#[test]
fn gates_hold_a_pod_back() {
    let mut gated = pod("gated").build();
    gated.spec.scheduling_gates = ["quota", "review"]
        .map(|name| PodSchedulingGate {
            name: name.to_owned(),
        })
        .to_vec();
    check(
        &cluster([node("a").build()]).pending([gated]),
        &expect![[r#"
        gated -> pending: not placed yet: the scheduling gates quota, review hold it back
    "#]],
    );
}

#[test]
fn pools_are_packed_or_spread_as_is_wished() {
    let nodes = ["a", "b"].map(|name| node(name).label("skep.io/pool", "batch").build());
    let busy = pod("busy").cpu("1").memory("4Gi").node("b").ready().build();
    let cluster = cluster(nodes).with([busy]);
    let mut scheduler = cluster.scheduler();
    let web = pod("web").cpu("100m").build();
    let spread = scheduler.what_if(&[&web]);
    scheduler.settings(SchedulerSettings {
        pools: BTreeMap::from([("batch".to_owned(), Scoring::Pack)]),
        ..SchedulerSettings::default()
    });
    let (packed, marks) = (
        scheduler.what_if(&[&web]),
        ["a", "b"].map(|node| scheduler.score_of(&web, node)),
    );
    assert_eq!(
        (spread[0].outcome.bound_to(), packed[0].outcome.bound_to()),
        (Some("a"), Some("b"))
    );
    assert!(marks[0] < marks[1]);
    assert_eq!(scheduler.score_of(&web, "gone"), None);
}

#[test]
fn image_that_is_there_decides_between_equals() {
    let mut nodes = ["a", "b", "c"].map(|name| node(name).build());
    let image = ContainerImage {
        names: vec!["web:v1".to_owned()],
        size_bytes: 900 << 20,
    };
    nodes[1].status.images = vec![image.clone()];
    nodes[2].status.images = vec![ContainerImage {
        names: vec!["web".to_owned()],
        ..image
    }];
    let pods = [
        pod("tagged").image("web:v1").build(),
        pod("latest").image("web:latest").build(),
    ];
    check(
        &cluster(nodes).pending(pods),
        &expect![[r#"
        tagged -> b
        latest -> c
    "#]],
    );
}

#[test]
fn namespaces_are_selected_by_their_labels() {
    let mut shy = pod("shy").build();
    let mut other = term("", HOST);
    other.namespace_selector = selector("team=blue");
    shy.spec.affinity = away(pod("x"), "", HOST).spec.affinity.clone();
    let affinity = shy
        .spec
        .affinity
        .as_mut()
        .unwrap()
        .pod_anti_affinity
        .as_mut()
        .unwrap();
    affinity.required_during_scheduling_ignored_during_execution = vec![other];
    let there = pod("there").namespace("paint").node("a").ready().build();
    let mut scheduler = cluster([node("a").build()]).with([there]).scheduler();
    assert_eq!(scheduler.check(&shy, "a"), Ok(()));
    scheduler.namespace("paint", &BTreeMap::from([("team".to_owned(), "blue".to_owned())]));
    assert!(scheduler.check(&shy, "a").is_err());
    scheduler.remove_namespace("paint");
    assert_eq!(scheduler.check(&shy, "a"), Ok(()));
}

#[test]
fn whose_pods_are_meant_is_said_where_they_are_in_other_namespaces() {
    let mut scheduler = cluster([node("a").label("zone", "x").build()]).scheduler();
    scheduler.namespace("default", &BTreeMap::new());
    scheduler.namespace("shop", &BTreeMap::from([("team".to_owned(), "blue".to_owned())]));
    let mut told_of = |edit: fn(&mut PodAffinityTerm)| {
        let mut pod = near(pod("p"), "app=db", "zone");
        let affinity = pod.spec.affinity.as_mut().unwrap().pod_affinity.as_mut().unwrap();
        edit(&mut affinity.required_during_scheduling_ignored_during_execution[0]);
        let told = told(&scheduler.schedule(&[&pod]));
        told.split_once("must be with ").unwrap().1.to_owned()
    };
    let told = [
        told_of(|_| {}),
        told_of(|term| term.namespaces = vec!["shop".to_owned(), "nowhere".to_owned()]),
        told_of(|term| term.namespace_selector = selector("team=blue")),
        told_of(|term| term.namespace_selector = selector("team=green")),
        told_of(|term| term.namespace_selector = selector("")),
    ];
    expect![[r#"
        (app=db by zone)
        (app=db in namespace nowhere (which does not exist) or namespace shop by zone)
        (app=db in namespaces with team=blue by zone)
        (app=db in namespaces with team=green (there are none) by zone)
        (app=db in all namespaces by zone)
    "#]]
    .assert_eq(&told.concat());
}

#[test]
fn a_spread_over_more_places_than_there_are_says_how_many_are_missing() {
    let pods = ["1", "2", "3"].map(|name| {
        let mut pod = spread(pod(name), "zone");
        pod.spec.topology_spread_constraints[0].min_domains = Some(3);
        pod
    });
    check(
        &zones().pending(pods),
        &expect![[r#"
        1 -> a
        2 -> c
        3 -> pending: 0/4 nodes fit: 3 have too many of its like for an even spread over zone (maxSkew 1; 2 of the 3 places that minDomains asks for), 1 lacks the label zone, over which it is spread
    "#]],
    );
}

#[test]
fn amounts_beyond_all_bounds_do_no_harm() {
    let huge = "9223372036854775807";
    let nodes = [node("a").memory(huge).cpu("9223372036854775").build()];
    let fill = |name: &str| {
        pod(name)
            .memory(huge)
            .cpu("9223372036854775")
            .node("a")
            .ready()
            .build()
    };
    let cluster = cluster(nodes).with([fill("one"), fill("two"), fill("three")]);
    let mut scheduler = cluster.scheduler();
    let small = pod("small").memory("1").build();
    assert!(scheduler.check(&small, "a").is_err());
    for name in ["one", "two", "three"] {
        scheduler.remove_pod(&format!("pod-default-{name}"));
    }
    assert_eq!(scheduler.check(&small, "a"), Ok(()));
    let mut never = pod("never").build();
    never.spec.affinity = near(pod("x"), "app=none", "no-such-key").spec.affinity.clone();
    expect![[r#"
        never -> pending: 0/1 nodes fit: 1 has no pod near that it must be with (app=none by no-such-key)
    "#]]
    .assert_eq(&told(&scheduler.schedule(&[&never])));
    assert_eq!(Scheduler::new().schedule(&[]), []);
}

#[test]
fn a_pod_that_comes_in_between_changes_where_those_after_it_may_go() {
    let nodes = [("a", "x", "2"), ("b", "x", "8"), ("c", "y", "2"), ("d", "y", "8")];
    let nodes = nodes.map(|(name, zone, cpu)| node(name).label("zone", zone).cpu(cpu).build());
    let web = |name: &str| pod(name).label("app", "web").cpu("500m").build();
    // It keeps the others out of its whole zone, where the emptiest node is.
    let loner = away(
        pod("loner").cpu("100m").node_selector(HOST, "c"),
        "app=web",
        "zone",
    );
    check(
        &cluster(nodes).pending([web("web-1"), loner, web("web-2")]),
        &expect![[r#"
            web-1 -> b
            loner -> c
            web-2 -> b
        "#]],
    );
}

#[test]
fn making_room_follows_what_was_placed_in_between() {
    let nodes = ["a", "b", "c", "d"].map(|name| {
        let zone = if name < "c" { "x" } else { "y" };
        node(name).label("zone", zone).cpu("2").build()
    });
    let victim =
        |name: &str, node: &str, priority| important(pod(name).cpu("1500m").node(node).ready(), priority);
    let db = pod("db").label("app", "db").cpu("100m").node("a").build();
    let bound = [
        victim("dear-a", "a", 5),
        victim("dear-b", "b", 5),
        victim("cheap-c", "c", 1),
        victim("cheap-d", "d", 1),
        db,
    ];
    let client = |name: &str| {
        let mut pod = near(pod(name).cpu("1"), "app=db", "zone");
        pod.spec.priority = Some(9);
        pod
    };
    let mut standby = important(pod("standby").label("app", "db").cpu("100m"), 9);
    standby.spec.node_selector = [(HOST.to_owned(), "c".to_owned())].into();
    // What is dear is taken where the database is; once there is another one, what is cheap.
    check(
        &cluster(nodes).with(bound).pending([
            client("one"),
            standby,
            client("two"),
            client("three"),
            client("four"),
        ]),
        &expect![[r#"
            one -> b after dear-b
            standby -> c
            two -> b after 
            three -> c after cheap-c
            four -> d after cheap-d
        "#]],
    );
}
