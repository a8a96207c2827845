//! Scenarios, played to their end.

#![expect(clippy::unwrap_used, reason = "a test that fails says where")]

use expect_test::{Expect, expect};
use skep_api::Object;
use skep_simulator::{Report, Scenario, Simulation};

const REBALANCE: &str = include_str!("../../../examples/sim/rebalance.yaml");
const NODES_500: &str = include_str!("../../../examples/sim/nodes-500.yaml");
const NODES_5000: &str = include_str!("../../../examples/sim/nodes-5000.yaml");
const NODES_10000: &str = include_str!("../../../examples/sim/nodes-10000.yaml");
const EDGE: &str = include_str!("../../../examples/sim/edge.yaml");

fn played(text: &str, seed: Option<u64>) -> (Report, Vec<String>) {
    let mut simulation = Simulation::new(Scenario::read(text).unwrap(), seed).unwrap();
    simulation.run(|_| {}).unwrap();
    (simulation.report(), simulation.timeline().collect())
}

/// The scenario with one in `part` of its nodes and pods.
fn scaled(text: &str, part: u16) -> Scenario {
    let mut scenario = Scenario::read(text).unwrap();
    for group in &mut scenario.nodes {
        group.count = group.count.map(|count| count / u32::from(part));
    }
    for object in &mut scenario.objects {
        let Object::Deployment(deployment) = object else {
            panic!("{object:?}")
        };
        deployment.spec.replicas /= i32::from(part);
    }
    for step in &mut scenario.steps {
        if let Some(scale) = &mut step.scale {
            scale.replicas /= i32::from(part);
        }
        if let Some(any) = step.fail.as_mut().and_then(|fail| fail.any.as_mut()) {
            *any /= usize::from(part);
        }
    }
    scenario
}

fn refused(text: &str, why: &Expect) {
    let error = match Scenario::read(text) {
        Err(error) => error,
        Ok(scenario) => match Simulation::new(scenario, None) {
            Err(error) => error,
            Ok(mut simulation) => simulation.run(|_| {}).unwrap_err(),
        },
    };
    why.assert_eq(&error.to_string());
}

#[test]
fn a_box_that_falls_silent_loses_its_pods_to_the_others() {
    let (report, timeline) = played(EDGE, None);
    let (camera, collector) = (
        &report.workloads["default/camera"],
        &report.workloads["default/collector"],
    );
    assert_eq!((camera.wanted, camera.ready, camera.nodes), (9, 9, 3));
    assert_eq!((collector.wanted, collector.ready), (1, 1));
    assert!(report.pending.is_empty(), "{report}");
    assert!(
        timeline
            .iter()
            .any(|line| line.contains("NodeNotReady") && line.contains("box-2")),
        "{timeline:#?}"
    );
}

#[test]
fn large_clusters_that_lose_nodes_and_grow_have_all_their_pods_in_the_end() {
    // What takes a minute in full, with fifty nodes each.
    for (text, part) in [(NODES_500, 10), (NODES_5000, 100), (NODES_10000, 200)] {
        let scenario = scaled(text, part);
        let mut simulation = Simulation::new(scenario, None).unwrap();
        simulation.run(|_| {}).unwrap();
        let report = simulation.report();
        let pools: Vec<_> = report
            .pools
            .values()
            .map(|pool| (pool.nodes, pool.ready))
            .collect();
        assert_eq!(pools, [(40, 40), (5, 5), (5, 4)], "{report}");
        for (name, workload) in &report.workloads {
            assert_eq!(workload.ready, workload.wanted, "{name}: {report}");
            if name.starts_with("default/web") {
                let (most, least) = (workload.zones.values().max(), workload.zones.values().min());
                assert!(
                    most.unwrap() - least.unwrap() <= 1 && workload.zones.len() == 3,
                    "{name}: {report}"
                );
            }
        }
        assert!(report.pending.is_empty(), "{report}");
        assert!(report.events["TaintManagerEviction"] > 0, "{report}");
    }
}

#[test]
fn the_same_seed_tells_the_same_story_and_another_seed_another_one() {
    let one = played(EDGE, Some(7));
    assert_eq!(one, played(EDGE, Some(7)));
    assert_ne!(one.0.started, played(EDGE, Some(8)).0.started);
}

#[test]
fn tiers_take_effect_as_in_a_cluster() {
    let text = EDGE.replace(
        "labels: { app: camera }",
        "labels: { app: camera, skep.io/tier: nobody-knows }",
    );
    refused(
        &text,
        &expect![
            "documents: spec.template.metadata.labels[skep.io/tier]: `nobody-knows` is not a tier of this cluster: write one of business-critical, mission-critical, non-critical"
        ],
    );
    let tiered = EDGE
        .replace(
            "labels: { app: camera }",
            "labels: { app: camera, skep.io/tier: business-critical }",
        )
        .replace(
            "resources: { cpu: \"4\"",
            "pool: general-pool\n    resources: { cpu: \"4\"",
        );
    let mut simulation = Simulation::new(Scenario::read(&tiered).unwrap(), None).unwrap();
    simulation.run(|_| {}).unwrap();
    let pods = simulation.state().list::<skep_api::Pod>(None);
    let camera: Vec<_> = pods
        .filter(|pod| pod.metadata.name.starts_with("camera"))
        .collect();
    assert_eq!(camera.len(), 9);
    assert!(
        camera
            .iter()
            .all(|pod| pod.spec.priority_class_name == "high-priority"),
        "{camera:?}"
    );
}

#[test]
fn what_does_not_fit_waits_and_says_why() {
    let text = EDGE.replace("cpu: 500m", "cpu: 3500m");
    let (report, _) = played(&text, None);
    assert_eq!(
        report.workloads["default/camera"].pending,
        9 - report.workloads["default/camera"].ready
    );
    assert!(report.pending[0].why.contains("cpu"), "{report}");
}

#[test]
fn what_is_wrong_with_a_scenario_is_said() {
    refused("", &expect!["scenario: the file is empty"]);
    refused(
        "kind: Pod",
        &expect![
            "kind: the first document must be a scenario: write `apiVersion: skep.io/v1` and `kind: Scenario`"
        ],
    );
    refused(
        "{apiVersion: skep.io/v1, kind: Scenario}",
        &expect!["duration: is missing: write for example `10m`"],
    );
    refused(
        "{apiVersion: skep.io/v1, kind: Scenario, duration: soon}",
        &expect!["scenario: `soon` is not a duration such as 30s, 5m or 1h30m"],
    );
    refused(
        "{apiVersion: skep.io/v1, kind: Scenario, duration: 1m, nodes: [{name: a, resources: {cpu: 1}}]}",
        &expect!["nodes[0].resources.memory: is missing: say what a node has for pods"],
    );
    refused(
        "{apiVersion: skep.io/v1, kind: Scenario, duration: 1m, steps: [{at: 5s}]}",
        &expect![
            "steps[0]: say exactly one thing that happens, one of apply, scale, delete, join, fail, recover, cordon, uncordon, remove; there are 0"
        ],
    );
    refused(
        "{apiVersion: skep.io/v1, kind: Scenario, duration: 1m, steps: [{at: 5s, fail: {names: [x]}}]}",
        &expect!["steps[0]: there is no node x at that time"],
    );
    refused(
        "{apiVersion: skep.io/v1, kind: Scenario, duration: 1m, steps: [{at: 5s, scale: {of: deployment/web, replicas: 2}}]}",
        &expect!["steps[0]: there is no Deployment default/web at that time"],
    );
}

#[test]
fn new_nodes_are_filled_and_pods_leave_a_node_that_is_not_for_them_any_more() {
    let (report, timeline) = played(REBALANCE, None);
    expect![[r#"
        Two nodes join a full cluster, and one of the old ones is set apart for databases

        POOL                  NODES  READY    PODS   CPU  MEMORY  SKEW
        -                         5      5      19   40%     21%     5

        WORKLOAD                             WANTED  READY PENDING ENDED NODES  ZONES
        default/api                               6      6       0     0     4  a:3 b:3
        default/db                                1      1       0     0     1  a:1
        default/web                              12     12       0     0     4  a:6 b:6

        Pods placed        30  half within 5 ms, 99 % within 5 ms, the longest 5 ms
        Pods ready         30  half within 2.1 s, 99 % within 2.3 s, the longest 2.3 s
        Events       Rebalanced 22, Rebalancing 22, RegisteredNode 5, ScalingReplicaSet 3, Scheduled 30, SuccessfulCreate 14
    "#]].assert_eq(&report.to_string());
    let moves = timeline
        .iter()
        .filter(|line| line.contains("Rebalanc") && line.contains("Deployment/"));
    let without_names = moves.map(|line| {
        let words = line.split(' ').map(|word| {
            let named = ["web-", "api-", "db-"].iter().any(|app| word.starts_with(app));
            if named { "POD" } else { word }
        });
        words.collect::<Vec<_>>().join(" ").trim_start().to_owned()
    });
    let told: Vec<String> = without_names.collect();
    expect![[r#"
        3m  Rebalancing        Deployment/api: Moves pod POD from old-1 to new-2: old-1 uses 62% of its cpu (56% of its cpu without it), new-2 would use 6% of its cpu; a replacement is started first
        3m  Rebalancing        Deployment/web: Moves pod POD from old-1 to new-1: old-1 uses 75% of its cpu (62% of its cpu without it), new-1 would use 12% of its cpu; a replacement is started first
        3m3s  Rebalanced         Deployment/api: Pod POD leaves old-1: POD serves on new-1 in its place
        3m3s  Rebalanced         Deployment/web: Pod POD leaves old-1: POD serves on new-2 in its place
        3m10s  Rebalancing        Deployment/api: Moves pod POD from old-3 to new-2: old-3 uses 62% of its cpu (56% of its cpu without it), new-2 would use 18% of its cpu; a replacement is started first
        3m10s  Rebalancing        Deployment/web: Moves pod POD from old-2 to new-1: old-2 uses 62% of its cpu (50% of its cpu without it), new-1 would use 18% of its cpu; a replacement is started first
        3m13s  Rebalanced         Deployment/api: Pod POD leaves old-3: POD serves on new-2 in its place
        3m13s  Rebalanced         Deployment/web: Pod POD leaves old-2: POD serves on new-1 in its place
        3m20s  Rebalancing        Deployment/api: Moves pod POD from old-3 to new-2: old-3 uses 56% of its cpu (50% of its cpu without it), new-2 would use 25% of its cpu; a replacement is started first
        3m20s  Rebalancing        Deployment/web: Moves pod POD from old-1 to new-1: old-1 uses 56% of its cpu (43% of its cpu without it), new-1 would use 31% of its cpu; a replacement is started first
        3m23s  Rebalanced         Deployment/api: Pod POD leaves old-3: POD serves on new-1 in its place
        3m23s  Rebalanced         Deployment/web: Pod POD leaves old-1: POD serves on new-2 in its place
        3m30s  Rebalancing        Deployment/web: Moves pod POD from old-2 to new-1: old-2 uses 50% of its cpu (37% of its cpu without it), new-1 would use 37% of its cpu; a replacement is started first
        3m33s  Rebalanced         Deployment/web: Pod POD leaves old-2: POD serves on new-1 in its place
        8m  Rebalancing        Deployment/web: Moves pod POD from old-3 to new-2: old-3 has the taint dedicated=db:NoSchedule, which it does not tolerate; a replacement is started first
        8m3s  Rebalanced         Deployment/web: Pod POD leaves old-3: POD serves on new-2 in its place
        8m10s  Rebalancing        Deployment/web: Moves pod POD from old-3 to new-1: old-3 has the taint dedicated=db:NoSchedule, which it does not tolerate; a replacement is started first
        8m13s  Rebalanced         Deployment/web: Pod POD leaves old-3: POD serves on new-1 in its place
        8m20s  Rebalancing        Deployment/web: Moves pod POD from old-3 to old-2: old-3 has the taint dedicated=db:NoSchedule, which it does not tolerate; a replacement is started first
        8m23s  Rebalanced         Deployment/web: Pod POD leaves old-3: POD serves on old-2 in its place
        8m30s  Rebalancing        Deployment/web: Moves pod POD from old-3 to old-1: old-3 has the taint dedicated=db:NoSchedule, which it does not tolerate; a replacement is started first
        8m33s  Rebalanced         Deployment/web: Pod POD leaves old-3: POD serves on old-1 in its place"#]].assert_eq(&told.join("\n"));
    // Nobody is moved who did not ask for it.
    let still = REBALANCE.replace("policy: { rebalance: true", "policy: { rebalance: false");
    let (report, _) = played(&still, None);
    assert!(!report.events.contains_key("Rebalancing"), "{report}");
}

#[test]
fn pods_on_their_way_out_of_a_lost_node_are_in_no_zone() {
    // A box that stays lost: its pods cannot end, and their replacements are elsewhere.
    let lost = EDGE.replace("  - at: 4m\n    recover: { names: [box-2] }\n", "");
    assert_ne!(lost, EDGE);
    let (report, _) = played(&lost, None);
    let camera = &report.workloads["default/camera"];
    assert_eq!(
        (camera.ready, camera.zones.values().sum::<usize>()),
        (camera.wanted, camera.wanted),
        "{report}"
    );
}
