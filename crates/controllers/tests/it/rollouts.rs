//! Stories of deployments: what rolls, in which steps, and what people are told.

use expect_test::{Expect, expect};
use skep_api::{Condition, Deployment, IntOrString, ReplicaSet, Resource};
use skep_testkit::deployment;

use crate::sim::{Sim, revision};

fn check(sim: &mut Sim, expected: &Expect) {
    expected.assert_eq(&sim.transcript());
}

fn roll(sim: &mut Sim, image: &str) {
    sim.edit::<Deployment>("web", |web| {
        web.spec.template.spec.containers[0].image = image.to_owned();
    });
}

fn conditions(sim: &Sim) -> String {
    let web = sim.get::<Deployment>("web");
    let line = |c: &Condition| format!("{}={:?} {}: {}\n", c.r#type, c.status, c.reason, c.message);
    mask(&web.status.conditions.iter().map(line).collect::<String>())
}

/// Replaces generated parts of names, which follow from the template's content.
fn mask(text: &str) -> String {
    let mut masked = String::new();
    for (index, word) in text.split("web-").enumerate() {
        if index > 0 {
            masked.push_str("web-*");
        }
        let end = if index == 0 {
            0
        } else {
            word.find(|c: char| !c.is_ascii_alphanumeric() && c != '-')
                .unwrap_or(word.len())
        };
        masked.push_str(&word[end..]);
    }
    masked
}

#[test]
fn rolling_update_without_missing_pods() {
    let mut sim = Sim::new();
    sim.create(deployment("web", 3).image("v1").rolling(1, 0));
    sim.advance(10);
    sim.note("--- v2");
    roll(&mut sim, "v2");
    sim.advance(30);
    check(
        &mut sim,
        &expect![[r#"
            0s   | rev 1: 0 of 0 ready
            0s   | rev 1: 0 of 3 ready
            2s   | rev 1: 3 of 3 ready
            --- v2
            10s  | rev 1: 3 of 3 ready | rev 2: 0 of 0 ready
            10s  | rev 1: 3 of 3 ready | rev 2: 0 of 1 ready
            12s  | rev 1: 3 of 3 ready | rev 2: 1 of 1 ready
            12s  | rev 1: 2 of 2 ready, 1 ending | rev 2: 1 of 1 ready
            12s  | rev 1: 2 of 2 ready, 1 ending | rev 2: 1 of 2 ready
            13s  | rev 1: 2 of 2 ready | rev 2: 1 of 2 ready
            14s  | rev 1: 2 of 2 ready | rev 2: 2 of 2 ready
            14s  | rev 1: 1 of 1 ready, 1 ending | rev 2: 2 of 2 ready
            14s  | rev 1: 1 of 1 ready, 1 ending | rev 2: 2 of 3 ready
            15s  | rev 1: 1 of 1 ready | rev 2: 2 of 3 ready
            16s  | rev 1: 1 of 1 ready | rev 2: 3 of 3 ready
            16s  | rev 1: 0 of 0 ready, 1 ending | rev 2: 3 of 3 ready
            17s  | rev 1: 0 of 0 ready | rev 2: 3 of 3 ready
        "#]],
    );
    expect![[r#"
        Available=True MinimumReplicasAvailable: Deployment has minimum availability.
        Progressing=True NewReplicaSetAvailable: ReplicaSet "web-*" has successfully progressed.
    "#]]
    .assert_eq(&conditions(&sim));
}

#[test]
fn rolling_update_in_place_of_missing_pods() {
    let mut sim = Sim::new();
    sim.create(deployment("web", 4).image("v1").rolling(0, "50%"));
    sim.advance(10);
    sim.note("--- v2");
    roll(&mut sim, "v2");
    sim.advance(30);
    check(
        &mut sim,
        &expect![[r#"
            0s   | rev 1: 0 of 0 ready
            0s   | rev 1: 0 of 4 ready
            2s   | rev 1: 4 of 4 ready
            --- v2
            10s  | rev 1: 4 of 4 ready | rev 2: 0 of 0 ready
            10s  | rev 1: 2 of 2 ready, 2 ending | rev 2: 0 of 0 ready
            10s  | rev 1: 2 of 2 ready, 2 ending | rev 2: 0 of 2 ready
            11s  | rev 1: 2 of 2 ready | rev 2: 0 of 2 ready
            12s  | rev 1: 2 of 2 ready | rev 2: 2 of 2 ready
            12s  | rev 1: 0 of 0 ready, 2 ending | rev 2: 2 of 2 ready
            12s  | rev 1: 0 of 0 ready, 2 ending | rev 2: 2 of 4 ready
            13s  | rev 1: 0 of 0 ready | rev 2: 2 of 4 ready
            14s  | rev 1: 0 of 0 ready | rev 2: 4 of 4 ready
        "#]],
    );
}

#[test]
fn recreate_starts_new_pods_only_when_the_old_ones_are_gone() {
    let mut sim = Sim::new();
    sim.create(deployment("web", 2).image("v1").recreate());
    sim.advance(10);
    sim.note("--- v2");
    roll(&mut sim, "v2");
    sim.advance(30);
    check(
        &mut sim,
        &expect![[r#"
            0s   | rev 1: 0 of 0 ready
            0s   | rev 1: 0 of 2 ready
            2s   | rev 1: 2 of 2 ready
            --- v2
            10s  | rev 1: 0 of 0 ready, 2 ending
            11s  | rev 1: 0 of 0 ready
            11s  | rev 1: 0 of 0 ready | rev 2: 0 of 0 ready
            11s  | rev 1: 0 of 0 ready | rev 2: 0 of 2 ready
            13s  | rev 1: 0 of 0 ready | rev 2: 2 of 2 ready
        "#]],
    );
}

#[test]
fn pod_counts_only_once_it_was_ready_long_enough() {
    let mut sim = Sim::new();
    sim.create(
        deployment("web", 2)
            .image("v1")
            .rolling(1, 0)
            .min_ready_seconds(10),
    );
    sim.advance(30);
    sim.note("--- v2");
    roll(&mut sim, "v2");
    sim.advance(60);
    check(
        &mut sim,
        &expect![[r#"
            0s   | rev 1: 0 of 0 ready
            0s   | rev 1: 0 of 2 ready
            2s   | rev 1: 2 of 2 ready
            --- v2
            30s  | rev 1: 2 of 2 ready | rev 2: 0 of 0 ready
            30s  | rev 1: 2 of 2 ready | rev 2: 0 of 1 ready
            32s  | rev 1: 2 of 2 ready | rev 2: 1 of 1 ready
            42s  | rev 1: 1 of 1 ready, 1 ending | rev 2: 1 of 1 ready
            42s  | rev 1: 1 of 1 ready, 1 ending | rev 2: 1 of 2 ready
            43s  | rev 1: 1 of 1 ready | rev 2: 1 of 2 ready
            44s  | rev 1: 1 of 1 ready | rev 2: 2 of 2 ready
            54s  | rev 1: 0 of 0 ready, 1 ending | rev 2: 2 of 2 ready
            55s  | rev 1: 0 of 0 ready | rev 2: 2 of 2 ready
        "#]],
    );
}

#[test]
fn broken_rollout_stops_at_its_deadline_and_says_why() {
    let mut sim = Sim::new();
    sim.create(
        deployment("web", 3)
            .image("v1")
            .rolling(1, 0)
            .progress_deadline(60),
    );
    sim.advance(10);
    sim.note("--- broken");
    roll(&mut sim, "broken:2");
    sim.advance(59);
    expect![[r#"
        Available=True MinimumReplicasAvailable: Deployment has minimum availability.
        Progressing=True ReplicaSetUpdated: ReplicaSet "web-*" is progressing.
    "#]]
    .assert_eq(&conditions(&sim));
    sim.advance(1);
    expect![[r#"
        Available=True MinimumReplicasAvailable: Deployment has minimum availability.
        Progressing=False ProgressDeadlineExceeded: ReplicaSet "web-*" has timed out progressing: 1 of 1 new pods are not ready: web-*: container main waits, ImagePullBackOff: no such image
    "#]].assert_eq(&conditions(&sim));
    sim.note("--- v1 again");
    roll(&mut sim, "v1");
    sim.advance(20);
    check(
        &mut sim,
        &expect![[r#"
            0s   | rev 1: 0 of 0 ready
            0s   | rev 1: 0 of 3 ready
            2s   | rev 1: 3 of 3 ready
            --- broken
            10s  | rev 1: 3 of 3 ready | rev 2: 0 of 0 ready
            10s  | rev 1: 3 of 3 ready | rev 2: 0 of 1 ready
            --- v1 again
            70s  | rev 2: 0 of 1 ready | rev 3: 3 of 3 ready
            70s  | rev 2: 0 of 0 ready, 1 ending | rev 3: 3 of 3 ready
            71s  | rev 2: 0 of 0 ready | rev 3: 3 of 3 ready
        "#]],
    );
    expect![[r#"
        Available=True MinimumReplicasAvailable: Deployment has minimum availability.
        Progressing=True NewReplicaSetAvailable: ReplicaSet "web-*" has successfully progressed.
    "#]]
    .assert_eq(&conditions(&sim));
}

#[test]
fn unhealthy_old_pods_go_first() {
    let mut sim = Sim::new();
    sim.create(deployment("web", 4).image("v1").rolling(1, 1));
    sim.advance(10);
    roll(&mut sim, "unready:2");
    sim.advance(20);
    sim.note("--- v3");
    roll(&mut sim, "v3");
    sim.advance(30);
    check(
        &mut sim,
        &expect![[r#"
            0s   | rev 1: 0 of 0 ready
            0s   | rev 1: 0 of 4 ready
            2s   | rev 1: 4 of 4 ready
            10s  | rev 1: 4 of 4 ready | rev 2: 0 of 0 ready
            10s  | rev 1: 3 of 3 ready, 1 ending | rev 2: 0 of 1 ready
            10s  | rev 1: 3 of 3 ready, 1 ending | rev 2: 0 of 2 ready
            11s  | rev 1: 3 of 3 ready | rev 2: 0 of 2 ready
            --- v3
            30s  | rev 1: 3 of 3 ready | rev 2: 0 of 2 ready | rev 3: 0 of 0 ready
            30s  | rev 1: 3 of 3 ready | rev 2: 0 of 0 ready, 2 ending | rev 3: 0 of 0 ready
            30s  | rev 1: 3 of 3 ready | rev 2: 0 of 0 ready, 2 ending | rev 3: 0 of 2 ready
            31s  | rev 1: 3 of 3 ready | rev 2: 0 of 0 ready | rev 3: 0 of 2 ready
            32s  | rev 1: 3 of 3 ready | rev 2: 0 of 0 ready | rev 3: 2 of 2 ready
            32s  | rev 1: 1 of 1 ready, 2 ending | rev 2: 0 of 0 ready | rev 3: 2 of 2 ready
            32s  | rev 1: 1 of 1 ready, 2 ending | rev 2: 0 of 0 ready | rev 3: 2 of 4 ready
            33s  | rev 1: 1 of 1 ready | rev 2: 0 of 0 ready | rev 3: 2 of 4 ready
            34s  | rev 1: 1 of 1 ready | rev 2: 0 of 0 ready | rev 3: 4 of 4 ready
            34s  | rev 1: 0 of 0 ready, 1 ending | rev 2: 0 of 0 ready | rev 3: 4 of 4 ready
            35s  | rev 1: 0 of 0 ready | rev 2: 0 of 0 ready | rev 3: 4 of 4 ready
        "#]],
    );
}

#[test]
fn undo_uses_the_old_replica_set_with_a_new_number() {
    let mut sim = Sim::new();
    sim.create(
        deployment("web", 1)
            .image("v1")
            .annotation("kubernetes.io/change-cause", "first"),
    );
    sim.advance(10);
    sim.edit::<Deployment>("web", |web| {
        let annotations = &mut web.metadata.annotations;
        annotations.insert("kubernetes.io/change-cause".to_owned(), "second".to_owned());
        web.spec.template.spec.containers[0].image = "v2".to_owned();
    });
    sim.advance(10);
    roll(&mut sim, "v1");
    sim.advance(10);
    let mut sets: Vec<ReplicaSet> = sim.state.list::<ReplicaSet>(None).cloned().collect();
    sets.sort_by_key(revision);
    let told: Vec<String> = sets
        .iter()
        .map(|set| {
            let annotation = |key: &str| set.metadata.annotations.get(key).map_or("-", String::as_str);
            let image = &set.spec.template.spec.containers[0].image;
            format!(
                "{image}: revision {}, before {}, cause {}, {} pods",
                annotation("deployment.kubernetes.io/revision"),
                annotation("deployment.kubernetes.io/revision-history"),
                annotation("kubernetes.io/change-cause"),
                set.spec.replicas,
            )
        })
        .collect();
    expect![[r#"
        v2: revision 2, before -, cause second, 0 pods
        v1: revision 3, before 1, cause second, 1 pods"#]]
    .assert_eq(&told.join("\n"));
    let web = sim.get::<Deployment>("web");
    assert_eq!(web.metadata.annotations["deployment.kubernetes.io/revision"], "3");
}

#[test]
fn old_revisions_are_kept_up_to_the_limit() {
    let mut sim = Sim::new();
    sim.create(deployment("web", 1).image("v1").history_limit(2));
    for version in 2..=6 {
        sim.advance(10);
        roll(&mut sim, &format!("v{version}"));
    }
    sim.advance(10);
    let mut kept: Vec<u32> = sim.state.list::<ReplicaSet>(None).map(revision).collect();
    kept.sort_unstable();
    assert_eq!(kept, [4, 5, 6]);
}

#[test]
fn paused_deployment_is_resized_but_not_rolled() {
    let mut sim = Sim::new();
    sim.create(deployment("web", 2).image("v1"));
    sim.advance(10);
    sim.edit::<Deployment>("web", |web| {
        web.spec.paused = true;
        web.spec.replicas = 3;
        web.spec.template.spec.containers[0].image = "v2".to_owned();
    });
    sim.advance(10);
    expect![[r#"
        Available=True MinimumReplicasAvailable: Deployment has minimum availability.
        Progressing=Unknown DeploymentPaused: Deployment is paused
    "#]]
    .assert_eq(&conditions(&sim));
    sim.note("--- resumed");
    sim.edit::<Deployment>("web", |web| web.spec.paused = false);
    sim.advance(20);
    check(
        &mut sim,
        &expect![[r#"
            0s   | rev 1: 0 of 0 ready
            0s   | rev 1: 0 of 2 ready
            2s   | rev 1: 2 of 2 ready
            10s  | rev 1: 2 of 3 ready
            12s  | rev 1: 3 of 3 ready
            --- resumed
            20s  | rev 1: 3 of 3 ready | rev 2: 0 of 0 ready
            20s  | rev 1: 3 of 3 ready | rev 2: 0 of 1 ready
            22s  | rev 1: 3 of 3 ready | rev 2: 1 of 1 ready
            22s  | rev 1: 2 of 2 ready, 1 ending | rev 2: 1 of 1 ready
            22s  | rev 1: 2 of 2 ready, 1 ending | rev 2: 1 of 2 ready
            23s  | rev 1: 2 of 2 ready | rev 2: 1 of 2 ready
            24s  | rev 1: 2 of 2 ready | rev 2: 2 of 2 ready
            24s  | rev 1: 1 of 1 ready, 1 ending | rev 2: 2 of 2 ready
            24s  | rev 1: 1 of 1 ready, 1 ending | rev 2: 2 of 3 ready
            25s  | rev 1: 1 of 1 ready | rev 2: 2 of 3 ready
            26s  | rev 1: 1 of 1 ready | rev 2: 3 of 3 ready
            26s  | rev 1: 0 of 0 ready, 1 ending | rev 2: 3 of 3 ready
            27s  | rev 1: 0 of 0 ready | rev 2: 3 of 3 ready
        "#]],
    );
}

#[test]
fn resized_in_the_middle_of_a_rollout_each_revision_gets_its_share() {
    let mut sim = Sim::new();
    sim.create(deployment("web", 10).image("v1").rolling(3, 2));
    sim.advance(10);
    roll(&mut sim, "unready:2");
    sim.advance(10);
    let sizes = |sim: &Sim| {
        let mut sets: Vec<ReplicaSet> = sim.state.list::<ReplicaSet>(None).cloned().collect();
        sets.sort_by_key(revision);
        sets.iter().map(|set| set.spec.replicas).collect::<Vec<_>>()
    };
    assert_eq!(sizes(&sim), [8, 5]);
    // Kubernetes' own example: of 13 pods for 10, 18 for 15 are shared as 11 and 7.
    sim.edit::<Deployment>("web", |web| web.spec.replicas = 15);
    sim.advance(10);
    assert_eq!(sizes(&sim), [11, 7]);
}

#[test]
fn bounds_of_nothing_still_let_one_pod_roll() {
    let mut sim = Sim::new();
    sim.create(deployment("web", 3).image("v1").rolling(0, "10%"));
    sim.advance(10);
    roll(&mut sim, "v2");
    sim.advance(60);
    let web = sim.get::<Deployment>("web");
    assert_eq!((web.status.updated_replicas, web.status.replicas), (3, 3));
}

#[test]
fn strategy_changed_in_the_middle_of_a_rollout_does_not_stop_it() {
    let mut sim = Sim::new();
    sim.create(deployment("web", 4).image("v1"));
    sim.advance(10);
    roll(&mut sim, "unready:2");
    sim.advance(10);
    sim.edit::<Deployment>("web", |web| {
        web.spec = deployment("web", 5).image("v3").recreate().build().spec;
    });
    sim.advance(30);
    let web = sim.get::<Deployment>("web");
    assert_eq!(
        (web.status.updated_replicas, web.status.available_replicas),
        (5, 5)
    );
}

#[test]
fn deployment_takes_over_the_replica_sets_it_selects() {
    let mut sim = Sim::new();
    sim.create(deployment("web", 2).image("v1"));
    sim.advance(10);
    let uid = sim.get::<Deployment>("web").metadata.uid;
    sim.delete::<Deployment>("web", skep_state::Propagation::Orphan);
    sim.advance(10);
    let pods: Vec<String> = sim.pods().iter().map(|pod| pod.metadata.uid.clone()).collect();
    assert_eq!(pods.len(), 2);
    assert!(sim.find::<Deployment>("web").is_none());
    sim.create(deployment("web", 2).image("v1"));
    sim.advance(10);
    assert_ne!(sim.get::<Deployment>("web").metadata.uid, uid);
    assert_eq!(
        sim.pods()
            .iter()
            .map(|pod| pod.metadata.uid.clone())
            .collect::<Vec<_>>(),
        pods
    );
    let owner = sim
        .state
        .list::<ReplicaSet>(None)
        .next()
        .unwrap()
        .metadata
        .controller()
        .cloned();
    assert_eq!(owner.unwrap().uid, sim.get::<Deployment>("web").metadata.uid);
}

#[test]
fn name_that_is_taken_does_not_stop_a_rollout() {
    let mut other = Sim::new();
    other.create(deployment("web", 1).image("v1"));
    other.advance(10);
    let taken = other.state.list::<ReplicaSet>(None).next().unwrap().key().name;

    let mut sim = Sim::new();
    let mut squatter = skep_testkit::replica_set(&taken, 0).build();
    squatter
        .spec
        .selector
        .match_labels
        .insert("app".to_owned(), "other".to_owned());
    squatter
        .spec
        .template
        .metadata
        .labels
        .insert("app".to_owned(), "other".to_owned());
    sim.create(squatter);
    sim.create(deployment("web", 1).image("v1"));
    sim.advance(10);
    assert_eq!(sim.get::<Deployment>("web").status.available_replicas, 1);
    assert_eq!(sim.state.list::<ReplicaSet>(None).count(), 2);
}

#[test]
fn size_and_bounds_may_be_percentages() {
    let web = deployment("web", 10)
        .rolling("25%", IntOrString::from("25%"))
        .build();
    let rolling = web.spec.strategy.rolling_update.unwrap();
    assert_eq!(rolling.max_surge.scaled(10, true), Some(3));
    assert_eq!(rolling.max_unavailable.scaled(10, false), Some(2));
}
