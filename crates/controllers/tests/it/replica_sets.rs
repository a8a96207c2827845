//! Replica sets: how many pods, and which ones go.

use skep_api::{Pod, PodPhase, ReplicaSet};
use skep_state::Propagation;
use skep_testkit::{pod, replica_set};

use crate::sim::Sim;

fn names(sim: &Sim) -> Vec<String> {
    let pods = sim.pods().into_iter().filter(|pod| !pod.metadata.is_deleting());
    pods.map(|pod| pod.metadata.name.clone()).collect()
}

/// Pods of the set `web`, all running on node `a` and ready, with these names.
fn running(sim: &mut Sim, pods: &[&str]) {
    for name in pods {
        sim.create(pod(name).label("app", "web").node("a").ready());
    }
}

#[test]
fn missing_pods_are_created_at_once_with_short_random_names() {
    let mut sim = Sim::new();
    sim.create(replica_set("web", 50));
    sim.advance(5);
    let names = names(&sim);
    assert_eq!(names.len(), 50);
    for name in names {
        let suffix = name.strip_prefix("web-").expect("the set's name comes first");
        assert_eq!(suffix.len(), 5, "{name}");
        assert!(
            suffix.chars().all(|c| "bcdfghjklmnpqrstvwxz2456789".contains(c)),
            "{name}"
        );
    }
    let status = sim.get::<ReplicaSet>("web").status;
    assert_eq!(
        (
            status.replicas,
            status.fully_labeled_replicas,
            status.available_replicas
        ),
        (50, 50, 50)
    );
}

#[test]
fn more_pods_than_one_pass_takes_follow_in_the_next() {
    let mut sim = Sim::new();
    sim.create(replica_set("web", 1200));
    sim.settle();
    assert_eq!(names(&sim).len(), 1200);
    sim.edit::<ReplicaSet>("web", |web| web.spec.replicas = 3);
    sim.advance(5);
    assert_eq!(sim.pods().len(), 3);
}

#[test]
fn deleted_and_failed_pods_are_replaced() {
    let mut sim = Sim::new();
    sim.create(replica_set("web", 3));
    sim.advance(5);
    let first = names(&sim);
    sim.delete::<Pod>(&first[0], Propagation::Background);
    sim.status::<Pod>(&first[1], |pod| {
        pod.status = skep_testkit::pod("x").failed(1).build().status;
    });
    sim.settle();
    let now = names(&sim);
    assert_eq!(now.len(), 4, "three that count, and the failed one: {now:?}");
    assert!(!now.contains(&first[0]));
    assert_eq!(sim.get::<ReplicaSet>("web").status.replicas, 3);
}

#[test]
fn pods_without_owner_are_taken_over_instead_of_new_ones_made() {
    let mut sim = Sim::new();
    running(&mut sim, &["web-1", "web-2"]);
    sim.settle();
    sim.create(replica_set("web", 3));
    sim.advance(5);
    let names = names(&sim);
    assert_eq!(names.len(), 3);
    assert!(names.contains(&"web-1".to_owned()) && names.contains(&"web-2".to_owned()));
    let set = sim.get::<ReplicaSet>("web");
    for pod in sim.pods() {
        assert_eq!(pod.metadata.controller().unwrap().uid, set.metadata.uid);
    }
}

#[test]
fn pod_that_is_relabelled_is_released_and_replaced() {
    let mut sim = Sim::new();
    sim.create(replica_set("web", 2));
    sim.advance(5);
    let first = names(&sim)[0].clone();
    sim.edit::<Pod>(&first, |pod| {
        drop(pod.metadata.labels.insert("app".to_owned(), "debug".to_owned()));
    });
    sim.advance(5);
    assert_eq!(sim.pods().len(), 3);
    assert_eq!(sim.get::<Pod>(&first).metadata.controller(), None);
    assert_eq!(sim.get::<ReplicaSet>("web").status.replicas, 2);
}

#[test]
fn pods_that_serve_nobody_go_first() {
    let mut sim = Sim::new();
    let owner = replica_set("web", 7);
    running(&mut sim, &["ready-old"]);
    sim.advance(100);
    sim.create(
        pod("ready-young")
            .label("app", "web")
            .node("a")
            .ready_since(sim.now),
    );
    sim.create(
        pod("ready-alone")
            .label("app", "web")
            .node("b")
            .ready_since(sim.now),
    );
    sim.create(
        pod("not-ready")
            .label("app", "web")
            .node("a")
            .image("unready")
            .running(),
    );
    sim.create(
        pod("pending")
            .label("app", "web")
            .node("a")
            .image("broken")
            .waiting("ImagePullBackOff", "no such image"),
    );
    sim.create(pod("unplaced").label("app", "web").cpu("1000"));
    sim.create(
        pod("cheap")
            .label("app", "web")
            .node("a")
            .ready()
            .annotation("controller.kubernetes.io/pod-deletion-cost", "-1"),
    );
    sim.create(owner);
    sim.settle();
    for (left, gone) in [
        (6, "unplaced"),
        (5, "pending"),
        (4, "not-ready"),
        (3, "cheap"),
        (2, "ready-young"),
        (1, "ready-alone"),
    ] {
        let before = names(&sim);
        assert!(
            before.iter().any(|name| name == gone),
            "{gone} went too early: {before:?}"
        );
        sim.edit::<ReplicaSet>("web", |web| web.spec.replicas = left);
        sim.settle();
        assert!(
            !names(&sim).iter().any(|name| name == gone),
            "{gone} should go before {:?}",
            names(&sim)
        );
    }
}

#[test]
fn set_that_is_deleted_takes_its_pods_along_unless_they_are_orphaned() {
    let mut sim = Sim::new();
    sim.create(replica_set("web", 2));
    sim.create(replica_set("kept", 2));
    sim.advance(5);
    sim.delete::<ReplicaSet>("web", Propagation::Background);
    sim.delete::<ReplicaSet>("kept", Propagation::Orphan);
    sim.advance(5);
    let left = sim.pods();
    assert_eq!(left.len(), 2);
    assert!(left.iter().all(|pod| pod.metadata.name.starts_with("kept-")));
    assert!(left.iter().all(|pod| pod.metadata.owner_references.is_empty()));
    assert!(left.iter().all(|pod| pod.status.phase == PodPhase::Running));
}

#[test]
fn events_say_what_was_done() {
    let mut sim = Sim::new();
    sim.create(replica_set("web", 7));
    sim.settle();
    let note = sim
        .notes
        .iter()
        .find(|note| note.reason == "SuccessfulCreate")
        .unwrap();
    assert!(
        note.message.starts_with("Created 7 pods: web-"),
        "{}",
        note.message
    );
    assert!(note.message.ends_with(" and 2 more"), "{}", note.message);
}
