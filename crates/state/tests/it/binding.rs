//! Pods and their nodes.

use skep_api::{ConditionStatus, Kind, Pod};
use skep_state::{Change, Refusal};
use skep_testkit::{pod, start};

use super::{Proposing, bind, delete, now, object, state};

fn names<'a>(pods: impl Iterator<Item = &'a Pod>) -> Vec<&'a str> {
    pods.map(|pod| pod.metadata.name.as_str()).collect()
}

#[test]
fn binding_names_the_node_and_says_that_the_pod_is_scheduled() {
    let mut state = state();
    state.accepted(Change::create(pod("a")));
    state.accepted(Change::create(pod("b")));
    assert_eq!(names(state.unbound_pods()), ["a", "b"]);
    state.accepted(bind("a", "n1"));
    let bound: Pod = now(&state, "a");
    assert_eq!(bound.spec.node_name, "n1");
    let condition = bound
        .status
        .conditions
        .iter()
        .find(|condition| condition.r#type == "PodScheduled")
        .unwrap();
    assert_eq!(
        (condition.status, condition.last_transition_time),
        (ConditionStatus::True, Some(start()))
    );
    assert_eq!(names(state.unbound_pods()), ["b"]);
    assert_eq!(names(state.pods_on("n1")), ["a"]);
    assert_eq!(names(state.pods_on("n")), [""; 0]);
}

#[test]
fn a_false_condition_becomes_true() {
    let mut state = state();
    let waiting = pod("a").condition("PodScheduled", ConditionStatus::False);
    state.accepted(Change::create(waiting));
    state.accepted(bind("a", "n1"));
    let conditions = now::<Pod>(&state, "a").status.conditions;
    let scheduled: Vec<_> = conditions
        .iter()
        .filter(|condition| condition.r#type == "PodScheduled")
        .collect();
    assert_eq!(scheduled.len(), 1);
    assert_eq!(scheduled[0].status, ConditionStatus::True);
}

#[test]
fn a_pod_is_bound_once_and_not_while_it_is_being_deleted() {
    let mut state = state();
    state.accepted(Change::create(pod("a")));
    state.accepted(bind("a", "n1"));
    let refusal = state.refused(bind("a", "n2"));
    assert!(
        refusal.to_string().contains("it is bound to node n1 already"),
        "{refusal}"
    );

    state.accepted(Change::create(pod("b").finalizer("x/one")));
    state.accepted(delete(&object(&state, Kind::Pod, "b")));
    let refusal = state.refused(bind("b", "n1"));
    assert!(refusal.to_string().contains("it is being deleted"), "{refusal}");
    assert!(matches!(state.refused(bind("c", "n1")), Refusal::NotFound { .. }));
    assert!(matches!(state.refused(bind("a", "")), Refusal::Invalid(_)));
}
