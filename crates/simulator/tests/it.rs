//! Scenarios, played to their end.

#![expect(clippy::unwrap_used, reason = "a test that fails says where")]

use expect_test::{Expect, expect};
use skep_simulator::{Report, Scenario, Simulation};

const EDGE: &str = include_str!("../../../examples/sim/edge.yaml");

fn played(text: &str, seed: Option<u64>) -> (Report, Vec<String>) {
    let mut simulation = Simulation::new(Scenario::read(text).unwrap(), seed).unwrap();
    simulation.run(|_| {}).unwrap();
    (simulation.report(), simulation.timeline().collect())
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
