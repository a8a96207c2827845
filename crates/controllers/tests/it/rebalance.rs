//! Rebalancing: what is moved, what is not, at which pace, and that it ends.

use std::time::Duration;

use expect_test::expect;
use proptest::prelude::*;
use serde_json::json;
use skep_api::{Deployment, Node, ObjectKey, Pod, PodDisruptionBudget, ReplicaSet, TaintEffect};
use skep_controllers::Rebalancing;
use skep_testkit::{deployment, node, pod, replica_set};

use crate::moving::{Led, Measure, moving, nobody_suffers};

/// Node a with eight pods of half a CPU each out of eight, and then node b, which is empty.
fn lopsided() -> Led {
    let mut led = Led::new();
    led.create(node("a").cpu("8"));
    led.create(deployment("web", 8).cpu("500m").memory("64Mi"));
    led.advance(90);
    led.create(node("b").cpu("8"));
    led.advance(5);
    assert_eq!(led.placed(), [("a".to_owned(), 8)].into());
    led.invariant = Box::new(nobody_suffers);
    led
}

fn on(led: &Led, node: &str) -> usize {
    led.placed().get(node).copied().unwrap_or(0)
}

fn default(name: &str) -> ObjectKey {
    ObjectKey::new("default", name)
}

#[test]
fn nothing_is_moved_unless_somebody_asks_for_it() {
    let mut led = lopsided();
    led.advance(600);
    assert_eq!(on(&led, "b"), 0);
    led.ask("true");
    led.advance(600);
    assert!(on(&led, "b") >= 2, "{:?}", led.placed());
}

#[test]
fn a_cluster_may_ask_for_all_namespaces_and_one_of_them_refuse() {
    let mut led = lopsided();
    led.settings.rebalancing.everywhere = true;
    led.ask("false");
    led.advance(600);
    assert_eq!(on(&led, "b"), 0);
    led.ask("true");
    led.advance(600);
    assert!(on(&led, "b") >= 2, "{:?}", led.placed());
}

#[test]
fn pods_of_an_overfull_node_are_moved_and_it_is_said_why() {
    let mut led = lopsided();
    led.ask("true");
    led.advance(61);
    let marked: Vec<String> = moving(&led.state)
        .iter()
        .map(|pod| pod.metadata.name.clone())
        .collect();
    assert_eq!(marked.len(), 1, "one pod of a replica set at a time");
    let name = marked[0].clone();
    led.advance(600);
    let told = led.told(&["Rebalancing"]).join("\n").replace(&name, "POD");
    assert!(
        told.contains(
            "Pod Rebalancing: Moves from a to b: a uses 50% of its cpu (43% of its cpu without it), b would use 6% of its cpu; \
             a replacement is started first"
        ),
        "{told}"
    );
    assert!(
        told.contains("Deployment Rebalancing: Moves pod POD from a to b: a uses 50% of its cpu"),
        "{told}"
    );
    let done = led.told(&["Rebalanced"]);
    assert!(
        done.iter()
            .any(|told| told.starts_with("Deployment Rebalanced: Pod web-")),
        "{done:?}"
    );
    assert!(
        done.iter()
            .any(|told| told.starts_with("Pod Rebalanced: Leaves a: web-") && told.contains("serves on b")),
        "{done:?}"
    );
    // As far as the margin goes, and no further.
    assert_eq!((on(&led, "a"), on(&led, "b")), (5, 3));
}

#[test]
fn pods_that_would_not_be_placed_where_they_are_go_where_they_would() {
    let mut led = Led::new();
    led.create(node("a").label("disk", "ssd"));
    let mut web = deployment("web", 2).build();
    web.spec.template.spec.node_selector = [("disk".to_owned(), "ssd".to_owned())].into();
    led.create(web);
    led.advance(90);
    led.create(node("b").label("disk", "ssd"));
    led.label("a", "disk", "hdd");
    led.ask("true");
    led.invariant = Box::new(nobody_suffers);
    led.advance(300);
    assert_eq!(led.placed(), [("b".to_owned(), 2)].into());
    let told = led.told(&["Rebalancing"]);
    assert!(
        told.iter()
            .any(|told| told.contains("from a to b: a lacks the label disk=ssd;")),
        "{told:?}"
    );
}

#[test]
fn a_taint_that_evicts_nobody_moves_those_that_do_not_tolerate_it() {
    let mut led = Led::new();
    led.create(node("a"));
    led.create(deployment("web", 1));
    led.advance(90);
    led.create(node("b"));
    led.edit::<Node>(&ObjectKey::cluster("a"), |live| {
        live.spec.taints.extend(
            node("x")
                .taint("dedicated", "db", TaintEffect::NoSchedule)
                .build()
                .spec
                .taints,
        );
    });
    led.ask("true");
    led.advance(200);
    assert_eq!(led.placed(), [("b".to_owned(), 1)].into());
}

/// Node a as in `lopsided`, and what holds its pods back where `edit` had its way with the deployment.
fn held(edit: impl FnOnce(&mut Deployment)) -> Vec<String> {
    let mut led = Led::new();
    led.create(node("a").cpu("8"));
    let mut web = deployment("web", 8).cpu("500m").build();
    edit(&mut web);
    led.create(web);
    led.advance(90);
    led.create(node("b").cpu("8"));
    led.settings.rebalancing.everywhere = true;
    led.advance(2);
    let plan = led.plan();
    assert_eq!(plan.moves, []);
    let mut told: Vec<String> = plan.held.into_iter().map(|held| held.by).collect();
    told.dedup();
    led.advance(300);
    assert_eq!(on(&led, "b"), 0, "{told:?}");
    told
}

#[test]
fn what_may_not_be_moved_stays_and_the_plan_says_why() {
    let annotated = held(|web| {
        let annotations = &mut web.spec.template.metadata.annotations;
        annotations.insert("skep.io/rebalance".to_owned(), "false".to_owned());
    });
    assert_eq!(
        annotated,
        ["it is not to be moved (annotation skep.io/rebalance)"]
    );
    let local = held(|web| {
        let volume = json!({ "name": "data", "emptyDir": {} });
        web.spec.template.spec.volumes = vec![serde_json::from_value(volume).unwrap()];
    });
    assert_eq!(
        local,
        [
            "the data of its volume data would be lost (emptyDir; annotation skep.io/rebalance: \"true\" on the pod allows \
             that)"
        ]
    );
    let of_host = held(|web| {
        let volume = json!({ "name": "data", "hostPath": { "path": "/srv" } });
        let template = &mut web.spec.template;
        template.spec.volumes = vec![serde_json::from_value(volume).unwrap()];
        let annotations = &mut template.metadata.annotations;
        annotations.insert("skep.io/rebalance".to_owned(), "true".to_owned());
    });
    assert_eq!(of_host, ["the data of its volume data is on its node (hostPath)"]);
    let recreate = held(|web| web.spec.strategy = deployment("x", 1).recreate().build().spec.strategy);
    assert_eq!(
        recreate,
        ["deployment web never runs one pod more than it is to have (Recreate)"]
    );
    let unready = held(|web| web.spec.template.spec.containers[0].image = "unready".to_owned());
    assert_eq!(unready, ["it is not ready"]);
}

#[test]
fn scratch_data_goes_with_its_pod_where_the_pod_says_that_it_may() {
    let mut led = Led::new();
    led.create(node("a").cpu("8"));
    let mut web = deployment("web", 8).cpu("500m").build();
    let template = &mut web.spec.template;
    let volume = json!({ "name": "scratch", "emptyDir": {} });
    template.spec.volumes = vec![serde_json::from_value(volume).unwrap()];
    let annotations = &mut template.metadata.annotations;
    annotations.insert("skep.io/rebalance".to_owned(), "true".to_owned());
    led.create(web);
    led.advance(90);
    led.create(node("b").cpu("8"));
    led.settings.rebalancing.everywhere = true;
    led.advance(300);
    assert!(on(&led, "b") > 0);
}

#[test]
fn pods_that_nobody_makes_again_stay() {
    let mut led = Led::new();
    led.create(node("a").cpu("8"));
    for index in 0..6 {
        led.create(pod(&format!("alone-{index}")).cpu("1"));
    }
    led.advance(90);
    led.create(node("b").cpu("8"));
    led.settings.rebalancing.everywhere = true;
    led.advance(300);
    assert_eq!(on(&led, "b"), 0);
    let plan = led.plan();
    assert!(plan.moves.is_empty() && plan.held.len() == 6, "{plan:#?}");
    assert!(
        plan.held.iter().all(|held| held.by == "nobody makes it again"),
        "{plan:#?}"
    );
    assert!(plan.held[0].why.starts_with("a uses 75% of its cpu"), "{plan:#?}");
}

#[test]
fn a_budget_that_even_a_replacement_does_not_satisfy_holds_pods_back() {
    let mut led = lopsided();
    let budget = json!({ "minAvailable": 20, "selector": { "matchLabels": { "app": "web" } } });
    let mut object = PodDisruptionBudget::default();
    object.metadata.name = "many".to_owned();
    object.metadata.namespace = "default".to_owned();
    object.spec = serde_json::from_value(budget).unwrap();
    led.invariant = Box::new(|_| {});
    led.create(object);
    led.ask("true");
    led.advance(300);
    assert_eq!(on(&led, "b"), 0);
    let plan = led.plan();
    expect!["disruption budget many needs 20 healthy pods and has 8"].assert_eq(&plan.held[0].by);
}

#[test]
fn a_budget_that_allows_nobody_to_be_missing_does_not_stop_moves_that_start_first() {
    let mut led = lopsided();
    let budget = json!({ "maxUnavailable": 0, "selector": { "matchLabels": { "app": "web" } } });
    let mut object = PodDisruptionBudget::default();
    object.metadata.name = "strict".to_owned();
    object.metadata.namespace = "default".to_owned();
    object.spec = serde_json::from_value(budget).unwrap();
    led.create(object);
    led.ask("true");
    led.advance(600);
    assert_eq!((on(&led, "a"), on(&led, "b")), (5, 3));
}

#[test]
fn a_replacement_that_does_not_serve_in_time_is_given_up_and_the_pod_left_alone_for_a_while() {
    let mut led = lopsided();
    led.kubelet.dead.insert("b".to_owned());
    led.ask("true");
    led.advance(100);
    assert_eq!(moving(&led.state).len(), 1);
    led.advance(320);
    let told = led.told(&["RebalancingGivenUp"]);
    assert!(
        told.iter().any(|told| told == "Pod RebalancingGivenUp: Stays on a: its replacement did not serve within 5m"),
        "{told:?}"
    );
    let plan = led.plan();
    let tried = plan
        .held
        .iter()
        .find(|held| held.by.starts_with("moving it came to nothing"));
    assert!(tried.is_some(), "{plan:#?}");
    assert!(on(&led, "a") >= 8);
}

#[test]
fn a_rollout_comes_before_rebalancing() {
    let mut led = lopsided();
    led.invariant = Box::new(|_| {});
    led.edit::<Deployment>(&default("web"), |web| {
        web.spec.template.spec.containers[0].image = "unready:2".to_owned();
    });
    led.advance(20);
    led.ask("true");
    led.advance(200);
    assert!(led.begun.is_empty(), "{:?}", led.begun);
    let plan = led.plan();
    let by: Vec<&str> = plan.held.iter().map(|held| held.by.as_str()).collect();
    assert!(by.iter().any(|by| by.contains("is not at rest")), "{by:?}");
}

#[test]
fn moves_are_few_at_once_and_few_in_a_minute() {
    let mut led = Led::new();
    led.create(node("a").cpu("32"));
    for index in 0..12 {
        led.create(deployment(&format!("web-{index}"), 2).cpu("1"));
    }
    led.advance(90);
    led.create(node("b").cpu("32"));
    led.settings.rebalancing = Rebalancing {
        everywhere: true,
        per_minute: 4,
        at_once: 3,
    };
    led.invariant = Box::new(|state| {
        assert!(moving(state).len() <= 3);
        nobody_suffers(state);
    });
    led.advance(900);
    assert!(led.begun.len() >= 8, "{:?}", led.begun);
    for (index, first) in led.begun.iter().enumerate() {
        let within = led.begun[index..]
            .iter()
            .filter(|at| **at < *first + Duration::from_secs(60));
        assert!(within.count() <= 4, "{:?}", led.begun);
    }
}

#[test]
fn a_new_leader_finishes_what_the_one_before_it_began_and_keeps_the_pace() {
    let mut led = lopsided();
    led.ask("true");
    led.advance(61);
    assert_eq!(moving(&led.state).len(), 1);
    led.new_leader();
    let begun = led.begun.len();
    led.advance(50);
    assert_eq!(
        (on(&led, "b"), led.begun.len()),
        (1, begun),
        "it waits a minute before it begins others"
    );
    led.advance(600);
    assert_eq!((on(&led, "a"), on(&led, "b")), (5, 3));
}

#[test]
fn the_plan_says_what_comes_next_and_what_later_and_changes_nothing() {
    let mut led = lopsided();
    let off = led.plan();
    assert_eq!(off.namespaces, Some(vec![]));
    assert!(
        off.moves
            .iter()
            .all(|one| one.held_by == "rebalancing is off here"),
        "{off:#?}"
    );
    led.ask("true");
    led.advance(1);
    let before = led.state.clone();
    let plan = led.plan();
    assert!(led.state == before);
    assert_eq!(plan.namespaces, Some(vec!["default".to_owned()]));
    let when: Vec<&str> = plan.moves.iter().map(|one| one.held_by.as_str()).collect();
    assert_eq!(
        when,
        [
            "",
            "one pod of a replica set at a time",
            "one pod of a replica set at a time"
        ]
    );
    led.advance(60);
    let under_way = led.plan().under_way;
    assert_eq!(under_way.len(), 1);
    assert_eq!((under_way[0].1.as_str(), under_way[0].2.to.as_str()), ("a", "b"));
}

#[test]
fn a_packed_cluster_is_not_spread_out() {
    let mut led = lopsided();
    led.settings.scoring = skep_controllers::Scoring::Pack;
    led.ask("true");
    led.advance(300);
    assert_eq!(on(&led, "b"), 0);
}

#[test]
fn new_pods_go_to_the_fullest_node_where_the_cluster_is_packed() {
    let mut led = Led::new();
    led.settings.scoring = skep_controllers::Scoring::Pack;
    led.create(node("a"));
    led.create(node("b"));
    led.create(deployment("web", 4).cpu("500m"));
    led.advance(10);
    assert_eq!(led.placed().len(), 1, "{:?}", led.placed());
}

/// One workload of a cluster made by chance.
#[derive(Clone, Debug)]
struct Load {
    replicas: i32,
    millis: u32,
    mebis: u32,
    shape: u8,
    budget: u8,
}

fn some_load() -> impl Strategy<Value = Load> {
    (1..6_i32, 1..12_u32, 1..12_u32, 0..6_u8, 0..4_u8).prop_map(|(replicas, millis, mebis, shape, budget)| {
        Load {
            replicas,
            millis: millis * 100,
            mebis: mebis * 128,
            shape,
            budget,
        }
    })
}

fn labelled(app: &str) -> serde_json::Value {
    json!({ "matchLabels": { "app": app } })
}

fn set(name: &str, load: &Load) -> ReplicaSet {
    let set = replica_set(name, load.replicas);
    let mut set = set
        .cpu(&format!("{}m", load.millis))
        .memory(&format!("{}Mi", load.mebis))
        .build();
    let spec = &mut set.spec.template.spec;
    let near = |app: &str| json!([{ "topologyKey": "zone", "labelSelector": labelled(app) }]);
    match load.shape {
        1 => spec.node_selector = [("disk".to_owned(), "ssd".to_owned())].into(),
        2 | 3 => {
            let key = if load.shape == 2 {
                "zone"
            } else {
                "kubernetes.io/hostname"
            };
            let even = json!({ "maxSkew": 1, "topologyKey": key, "whenUnsatisfiable": "DoNotSchedule",
                               "labelSelector": labelled(name) });
            spec.topology_spread_constraints = vec![serde_json::from_value(even).unwrap()];
        }
        4 => {
            let apart = json!({ "podAntiAffinity": { "requiredDuringSchedulingIgnoredDuringExecution":
                [{ "topologyKey": "kubernetes.io/hostname", "labelSelector": labelled(name) }] } });
            spec.affinity = Some(serde_json::from_value(apart).unwrap());
        }
        5 => {
            let with =
                json!({ "podAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": near("set-0") } });
            spec.affinity = Some(serde_json::from_value(with).unwrap());
        }
        _ => {}
    }
    set
}

fn budget(name: &str, kind: u8) -> Option<PodDisruptionBudget> {
    let bound = match kind {
        1 => json!({ "maxUnavailable": 0, "selector": labelled(name) }),
        2 => json!({ "minAvailable": "50%", "selector": labelled(name) }),
        3 => json!({ "minAvailable": 1, "selector": labelled(name) }),
        _ => return None,
    };
    let mut budget = PodDisruptionBudget::default();
    budget.metadata.name = name.to_owned();
    budget.metadata.namespace = "default".to_owned();
    budget.spec = serde_json::from_value(bound).unwrap();
    Some(budget)
}

fn zoned(index: usize) -> skep_testkit::NodeBuilder {
    let zone = ["x", "y"][index % 2];
    let disk = ["ssd", "hdd"][usize::from(index % 3 == 2)];
    node(&format!("n{index}"))
        .cpu("6")
        .memory("12Gi")
        .label("zone", zone)
        .label("disk", disk)
}

/// Plays a cluster that is disturbed, one move at a time; how well pods were placed each time it was at rest.
fn played(loads: &[Load], flips: &[usize]) -> (Led, Vec<Measure>) {
    let mut led = Led::new();
    (0..3).for_each(|index| led.create(zoned(index)));
    for (index, load) in loads.iter().enumerate() {
        let name = format!("set-{index}");
        led.create(set(&name, load));
        budget(&name, load.budget)
            .into_iter()
            .for_each(|budget| led.create(budget));
    }
    led.advance(70);
    (3..6).for_each(|index| led.create(zoned(index)));
    for flip in flips {
        let disk = ["ssd", "hdd"][flip % 2];
        led.label(&format!("n{}", flip / 2 % 6), "disk", disk);
    }
    led.advance(70);
    led.settings.rebalancing = Rebalancing {
        everywhere: true,
        per_minute: 60,
        at_once: 1,
    };
    // Those that wait are no judge of moves.
    let waits = led.state.unbound_pods().count() > 0;
    if !waits {
        led.invariant = Box::new(nobody_suffers);
    }
    let mut measures = vec![led.measure()];
    let mut quiet = 0;
    while quiet < 150 {
        led.advance(1);
        quiet += 1;
        if !led.is_at_rest() {
            continue;
        }
        let measure = led.measure();
        if Some(&measure) != measures.last() {
            quiet = 0;
            measures.push(measure);
        }
        assert!(measures.len() < 200, "it does not end");
    }
    (led, measures)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    /// Each move makes the measure less, nobody suffers meanwhile, and it ends.
    #[test]
    fn every_move_is_for_the_better_and_it_ends(
        loads in prop::collection::vec(some_load(), 2..6),
        flips in prop::collection::vec(0..12_usize, 0..3),
    ) {
        let (led, measures) = played(&loads, &flips);
        for pair in measures.windows(2) {
            prop_assert!(pair[1] < pair[0], "{:?} after {:?}", pair[1], pair[0]);
        }
        let begun = led.begun.len();
        let now: Vec<&Pod> = moving(&led.state);
        prop_assert!(now.is_empty(), "{now:?}");
        prop_assert!(measures.len() <= begun + 1 || begun == 0, "{begun} moves, {} measures", measures.len());
        // What is left has a reason that the plan knows.
        let plan = led.plan();
        prop_assert!(plan.moves.is_empty(), "{plan:#?}");
    }
}
