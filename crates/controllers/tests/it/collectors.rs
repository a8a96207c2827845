//! What nobody owns any more goes, and nothing else does.

use skep_api::{
    ConfigMap, Deployment, Event, Kind, Namespace, Node, ObjectKey, OwnerReference, Pod, ReplicaSet, Resource,
};
use skep_state::{Propagation, State};
use skep_testkit::{config_map, deployment, namespace, pod, secret};

use crate::sim::Sim;

fn count(state: &State) -> usize {
    [
        Kind::Deployment,
        Kind::ReplicaSet,
        Kind::Pod,
        Kind::ConfigMap,
        Kind::Secret,
    ]
    .into_iter()
    .map(|kind| state.count(kind))
    .sum()
}

#[test]
fn deployment_takes_everything_below_it_along() {
    for propagation in [Propagation::Background, Propagation::Foreground] {
        let mut sim = Sim::new();
        sim.create(deployment("web", 3));
        sim.create(config_map("unrelated"));
        sim.advance(5);
        sim.delete::<Deployment>("web", propagation);
        sim.advance(5);
        assert_eq!(count(&sim.state), 1, "{propagation:?}");
        assert!(sim.find::<ConfigMap>("unrelated").is_some());
    }
}

#[test]
fn foreground_deletion_holds_the_owner_until_its_pods_are_gone() {
    let mut sim = Sim::new();
    sim.create(deployment("web", 2));
    sim.advance(5);
    sim.delete::<Deployment>("web", Propagation::Foreground);
    sim.settle();
    assert!(sim.pods().iter().all(|pod| pod.metadata.is_deleting()));
    assert_eq!(sim.pods().len(), 2);
    assert!(sim.get::<Deployment>("web").metadata.is_deleting());
    assert_eq!(sim.state.list::<ReplicaSet>(None).count(), 1);
    sim.advance(2);
    assert_eq!(count(&sim.state), 0);
}

#[test]
fn dependent_with_another_owner_stays_and_forgets_the_one_that_is_gone() {
    let mut sim = Sim::new();
    sim.create(config_map("one"));
    sim.create(config_map("two"));
    let reference = |sim: &Sim, name: &str| OwnerReference {
        controller: false,
        ..OwnerReference::controller_of(Kind::ConfigMap, &sim.get::<ConfigMap>(name).metadata)
    };
    let mut both = config_map("both").build();
    both.metadata.owner_references = vec![reference(&sim, "one"), reference(&sim, "two")];
    sim.create(both);
    sim.delete::<ConfigMap>("one", Propagation::Background);
    sim.settle();
    assert_eq!(
        sim.get::<ConfigMap>("both").metadata.owner_references,
        [reference(&sim, "two")]
    );
    sim.delete::<ConfigMap>("two", Propagation::Background);
    sim.settle();
    assert_eq!(count(&sim.state), 0);
}

#[test]
fn owner_is_known_by_its_uid_not_its_name() {
    let mut sim = Sim::new();
    sim.create(config_map("owner"));
    let old = sim.get::<ConfigMap>("owner");
    sim.create(secret("mine").owned_by(&old));
    sim.delete::<ConfigMap>("owner", Propagation::Background);
    sim.create(config_map("owner"));
    sim.settle();
    assert_eq!(count(&sim.state), 1);
}

#[test]
fn namespace_goes_after_its_contents() {
    let mut sim = Sim::new();
    sim.create(namespace("shop"));
    sim.create(deployment("web", 3).namespace("shop"));
    sim.create(config_map("settings").namespace("shop"));
    sim.create(pod("loose").namespace("shop"));
    sim.create(deployment("web", 1));
    sim.advance(5);
    assert!(sim.state.list::<Event>(Some("shop")).count() > 0);
    sim.delete::<Namespace>("shop", Propagation::Background);
    sim.settle();
    let shop = ObjectKey::cluster("shop");
    assert!(
        sim.state.get::<Namespace>(&shop).is_some(),
        "its pods have not ended yet"
    );
    assert!(
        sim.pods()
            .iter()
            .filter(|pod| pod.metadata.namespace == "shop")
            .all(|p| p.metadata.is_deleting())
    );
    sim.advance(3);
    assert!(sim.state.get::<Namespace>(&shop).is_none());
    assert!(
        Kind::ALL
            .into_iter()
            .all(|kind| sim.state.objects(kind, Some("shop")).next().is_none())
    );
    assert_eq!(sim.get::<Deployment>("web").status.available_replicas, 1);
}

#[test]
fn pods_of_a_node_that_is_gone_are_removed_and_replaced_elsewhere() {
    let mut sim = Sim::new();
    sim.create(deployment("web", 6));
    sim.advance(5);
    let on_a = sim.state.pods_on("a").count();
    assert!(on_a > 0);
    sim.delete::<Node>("a", Propagation::Background);
    sim.advance(5);
    assert_eq!(sim.state.pods_on("a").count(), 0);
    assert_eq!(sim.get::<Deployment>("web").status.available_replicas, 6);
    assert_eq!(
        sim.notes.iter().filter(|note| note.reason == "NodeGone").count(),
        on_a
    );
}

#[test]
fn only_so_many_ended_pods_are_kept_and_the_oldest_go() {
    let mut sim = Sim::new();
    sim.settings.terminated_pods_max = 3;
    for index in 0..6 {
        sim.create(pod(&format!("job-{index}")).node("a").succeeded());
        sim.advance(1);
    }
    sim.create(pod("running").node("a").ready());
    sim.advance(30);
    let left: Vec<String> = sim.pods().iter().map(|pod| pod.metadata.name.clone()).collect();
    assert_eq!(left, ["job-3", "job-4", "job-5", "running"]);
}

#[test]
fn pod_that_holds_a_finalizer_is_not_asked_to_go_again_and_again() {
    let mut sim = Sim::new();
    sim.create(pod("held").finalizer("example.com/hold").cpu("1000"));
    sim.delete::<Pod>("held", Propagation::Background);
    sim.advance(60);
    assert!(sim.get::<Pod>("held").metadata.is_deleting());
    sim.edit::<Pod>("held", |pod| pod.metadata.finalizers.clear());
    assert!(sim.find::<Pod>("held").is_none());
}

#[test]
fn events_go_after_an_hour_and_beyond_a_number() {
    let mut sim = Sim::new();
    sim.settings.events_max = 4;
    sim.create(deployment("web", 2));
    sim.advance(5);
    for replicas in [3, 4, 5, 6, 7] {
        sim.edit::<Deployment>("web", |web| web.spec.replicas = replicas);
        sim.advance(5);
    }
    assert!(sim.state.count(Kind::Event) > 4);
    sim.advance(120);
    let mut left: Vec<&Event> = sim.state.list::<Event>(None).collect();
    left.sort_by_key(|event| event.last_timestamp);
    assert_eq!(left.len(), 4);
    assert!(left.iter().any(|event| event.message.ends_with("from 6 to 7")));
    sim.advance(3700);
    assert_eq!(sim.state.count(Kind::Event), 0);
    assert_eq!(sim.get::<Deployment>("web").key().name, "web");
}
