//! Objects that end.

use skep_api::{ConfigMap, Deployment, Kind, Namespace, Pod, PodPhase};
use skep_state::{
    Change, Effect, Entry, FOREGROUND_FINALIZER, ORPHAN_FINALIZER, Precondition, Propagation, Refusal, State,
    Verb,
};
use skep_testkit::{at, config_map, deployment, namespace, pod};

use super::{Proposing, bind, delete, delete_by, delete_in, exists, now, object, state};

/// A state with a pod `a` that runs on a node, and has 30 seconds to end.
fn running() -> State {
    let mut state = state();
    state.accepted(Change::create(pod("a")));
    state.accepted(bind("a", "n1"));
    let mut reported: Pod = now(&state, "a");
    reported.status.phase = PodPhase::Running;
    state.accepted(Change::update_status(reported));
    state
}

fn end_of(state: &State) -> (Option<skep_api::Time>, Option<i64>) {
    let pod: Pod = now(state, "a");
    (
        pod.metadata.deletion_timestamp,
        pod.metadata.deletion_grace_period_seconds,
    )
}

#[test]
fn what_nothing_holds_goes_at_once_and_takes_a_revision() {
    let mut state = state();
    state.accepted(Change::create(config_map("a")));
    let applied = state.accepted(delete(&object(&state, Kind::ConfigMap, "a")));
    assert_eq!((applied.effect, applied.revision), (Effect::Removed, 3));
    assert_eq!(applied.object.meta().revision(), 3);
    assert!(!exists(&state, Kind::ConfigMap, "a"));
    let refusal = state.refused(Change::delete(&applied.object, Default::default()));
    assert!(matches!(refusal, Refusal::NotFound { .. }));
}

#[test]
fn a_pod_on_a_node_is_given_its_time() {
    let mut state = running();
    let applied = state.accepted(delete(&object(&state, Kind::Pod, "a")));
    assert_eq!(applied.effect, Effect::Modified);
    assert_eq!(end_of(&state), (Some(at(30)), Some(30)));
}

#[test]
fn a_pod_that_is_bound_nowhere_goes_at_once() {
    let mut state = state();
    state.accepted(Change::create(pod("a")));
    state.accepted(delete(&object(&state, Kind::Pod, "a")));
    assert!(!exists(&state, Kind::Pod, "a"));
}

#[test]
fn a_pod_that_has_ended_goes_at_once() {
    let mut state = running();
    let mut reported: Pod = now(&state, "a");
    reported.status.phase = PodPhase::Succeeded;
    state.accepted(Change::update_status(reported));
    state.accepted(delete(&object(&state, Kind::Pod, "a")));
    assert!(!exists(&state, Kind::Pod, "a"));
}

#[test]
fn a_second_deletion_may_shorten_the_time_but_not_lengthen_it() {
    let mut state = running();
    state.accepted(delete(&object(&state, Kind::Pod, "a")));
    let revision = state.revision();
    let asked_later = |seconds: Option<i64>, state: &mut State| {
        let mut change = delete(&object(state, Kind::Pod, "a"));
        if let Verb::Delete { options, .. } = &mut change.verb {
            options.grace_seconds = seconds;
        }
        let entry = Entry {
            request_id: String::new(),
            sent: None,
            now: at(7),
            changes: vec![change],
        };
        state.apply(&entry).remove(0).unwrap().effect
    };
    assert_eq!(asked_later(Some(60), &mut state), Effect::Nothing);
    assert_eq!(asked_later(Some(30), &mut state), Effect::Nothing);
    assert_eq!(asked_later(None, &mut state), Effect::Nothing);
    assert_eq!(state.revision(), revision);
    assert_eq!(asked_later(Some(10), &mut state), Effect::Modified);
    assert_eq!(
        end_of(&state),
        (Some(at(10)), Some(10)),
        "it counts from when it was first asked"
    );
    assert_eq!(asked_later(Some(0), &mut state), Effect::Removed);
}

#[test]
fn a_pod_goes_once_its_node_says_that_it_has_ended() {
    let mut state = running();
    state.accepted(delete(&object(&state, Kind::Pod, "a")));
    let mut other: Pod = now(&state, "a");
    other.metadata.uid = "another".to_owned();
    let refusal = state.refused(delete_in(&other.into(), 0));
    assert!(matches!(refusal, Refusal::Conflict { .. }), "{refusal}");
    assert_eq!(
        state
            .accepted(delete_in(&object(&state, Kind::Pod, "a"), 0))
            .effect,
        Effect::Removed
    );
}

#[test]
fn an_update_does_not_cut_the_time_of_a_pod_short() {
    let mut state = running();
    state.accepted(delete(&object(&state, Kind::Pod, "a")));
    let mut labelled: Pod = now(&state, "a");
    labelled.metadata.labels.insert("k".to_owned(), "v".to_owned());
    assert_eq!(state.accepted(Change::update(labelled)).effect, Effect::Modified);
    assert_eq!(end_of(&state), (Some(at(30)), Some(30)));
}

#[test]
fn finalizers_hold_an_object_until_the_last_is_removed() {
    let mut state = state();
    state.accepted(Change::create(
        config_map("a").finalizer("x/one").finalizer("x/two"),
    ));
    assert_eq!(
        state
            .accepted(delete(&object(&state, Kind::ConfigMap, "a")))
            .effect,
        Effect::Modified
    );
    let mut held: ConfigMap = now(&state, "a");
    assert!(held.metadata.is_deleting());

    held.metadata.finalizers.remove(0);
    assert_eq!(
        state.accepted(Change::update(held.clone())).effect,
        Effect::Modified
    );
    let mut held: ConfigMap = now(&state, "a");
    held.metadata.finalizers.push("x/three".to_owned());
    let refusal = state.refused(Change::update(held.clone()));
    assert!(
        refusal
            .to_string()
            .contains("none may be added while the object is being deleted"),
        "{refusal}"
    );

    held.metadata.finalizers.clear();
    let removed = state.accepted(Change::update(held));
    assert_eq!(removed.effect, Effect::Removed);
    assert!(!exists(&state, Kind::ConfigMap, "a"));
}

#[test]
fn a_pod_with_a_finalizer_stays_after_its_time_until_the_finalizer_is_removed() {
    let mut state = state();
    state.accepted(Change::create(pod("a").finalizer("x/one")));
    state.accepted(bind("a", "n1"));
    state.accepted(delete(&object(&state, Kind::Pod, "a")));
    assert_eq!(
        state
            .accepted(delete_in(&object(&state, Kind::Pod, "a"), 0))
            .effect,
        Effect::Modified
    );
    let mut held: Pod = now(&state, "a");
    held.metadata.finalizers.clear();
    assert_eq!(state.accepted(Change::update(held)).effect, Effect::Removed);
}

#[test]
fn propagation_leaves_its_finalizer() {
    for (propagation, finalizer) in [
        (Propagation::Foreground, FOREGROUND_FINALIZER),
        (Propagation::Orphan, ORPHAN_FINALIZER),
    ] {
        let mut state = state();
        state.accepted(Change::create(deployment("a", 1)));
        state.accepted(delete_by(&object(&state, Kind::Deployment, "a"), propagation));
        let held: Deployment = now(&state, "a");
        assert_eq!(held.metadata.finalizers, [finalizer]);
        assert!(held.metadata.is_deleting());
    }
}

#[test]
fn a_namespace_stays_until_it_is_empty_and_nothing_holds_it() {
    let mut state = state();
    state.accepted(Change::create(namespace("a").finalizer("x/one")));
    state.accepted(delete(&object(&state, Kind::Namespace, "a")));

    let mut space: Namespace = now(&state, "a");
    space.spec.finalizers.clear();
    assert_eq!(state.accepted(Change::update(space)).effect, Effect::Modified);
    let mut space: Namespace = now(&state, "a");
    space.spec.finalizers.push("kubernetes".to_owned());
    let refusal = state.refused(Change::update(space.clone()));
    assert!(refusal.to_string().contains("spec.finalizers"), "{refusal}");

    space.spec.finalizers.clear();
    space.metadata.finalizers.clear();
    assert_eq!(state.accepted(Change::update(space)).effect, Effect::Removed);
}

#[test]
fn a_deletion_may_insist_on_a_revision() {
    let mut state = state();
    state.accepted(Change::create(config_map("a")));
    let only_if = Precondition {
        revision: Some(1),
        ..Precondition::default()
    };
    let change = Change {
        only_if,
        ..delete(&object(&state, Kind::ConfigMap, "a"))
    };
    assert!(matches!(state.refused(change), Refusal::Conflict { .. }));
}

#[test]
fn a_negative_grace_period_makes_no_sense() {
    let mut state = running();
    let refusal = state.refused(delete_in(&object(&state, Kind::Pod, "a"), -1));
    assert!(refusal.to_string().contains("must not be negative"), "{refusal}");
}
