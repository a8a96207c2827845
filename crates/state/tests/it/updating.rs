//! Changed objects: desired and observed state are written apart.

use skep_api::{
    ConditionStatus, ConfigMap, Deployment, Kind, Namespace, NamespacePhase, Pod, PodPhase, Time,
};
use skep_state::{Change, Effect, Refusal, Verb};
use skep_testkit::{at, config_map, deployment, namespace, pod};

use super::{Proposing, delete, exists, now, object, state};

#[test]
fn an_update_that_changes_nothing_takes_no_revision() {
    let mut state = state();
    state.accepted(Change::create(config_map("a").data("k", "v")));
    let applied = state.accepted(Change::update(now::<ConfigMap>(&state, "a")));
    assert_eq!(
        (applied.effect, applied.revision, state.revision()),
        (Effect::Nothing, 2, 2)
    );
}

#[test]
fn an_update_of_another_revision_is_refused() {
    let mut state = state();
    state.accepted(Change::create(config_map("a")));
    let old: ConfigMap = now(&state, "a");
    let mut new = old.clone();
    new.data.insert("k".to_owned(), "v".to_owned());
    state.accepted(Change::update(new));
    let refusal = state.refused(Change::update(old));
    assert_eq!(
        refusal.to_string(),
        "ConfigMap default/a has changed: its revision is 3, not 2; read it again and retry"
    );
}

#[test]
fn an_update_of_an_object_made_again_is_refused() {
    let mut state = state();
    state.accepted(Change::create(config_map("a").uid("first")));
    let old: ConfigMap = now(&state, "a");
    state.accepted(delete(&object(&state, Kind::ConfigMap, "a")));
    state.accepted(Change::create(config_map("a").uid("second")));
    let refusal = state.refused(Change::update(old.clone()));
    assert!(
        refusal.to_string().contains("deleted and made again"),
        "{refusal}"
    );
    let unconditional = Change::new(Verb::Update(Box::new(old.into())));
    assert!(matches!(state.refused(unconditional), Refusal::Conflict { .. }));
}

#[test]
fn the_generation_rises_with_the_desired_state_alone() {
    let mut state = state();
    state.accepted(Change::create(deployment("web", 1)));
    let generation = |state: &_| now::<Deployment>(state, "web").metadata.generation;

    let mut web: Deployment = now(&state, "web");
    web.metadata.annotations.insert("note".to_owned(), "x".to_owned());
    state.accepted(Change::update(web));
    assert_eq!(generation(&state), 1, "annotations are no desired state");

    let mut web: Deployment = now(&state, "web");
    web.status.replicas = 1;
    state.accepted(Change::update_status(web));
    assert_eq!(generation(&state), 1, "nor is the status");

    let mut web: Deployment = now(&state, "web");
    web.spec.replicas = 3;
    state.accepted(Change::update(web));
    assert_eq!(generation(&state), 2);
}

#[test]
fn an_update_keeps_the_status_and_what_only_the_server_sets() {
    let mut state = state();
    state.accepted(Change::create(pod("a").running()));
    let before: Pod = now(&state, "a");
    let mut wanted = pod("a").label("app", "web").phase(PodPhase::Failed).build();
    wanted.metadata.creation_timestamp = Some(at(99));
    wanted.metadata.generation = 42;
    let applied = state.accepted(Change::new(Verb::Update(Box::new(wanted.into()))));
    assert_eq!(applied.effect, Effect::Modified);
    let after: Pod = now(&state, "a");
    assert_eq!(after.status, before.status);
    assert_eq!(
        after.metadata.creation_timestamp,
        before.metadata.creation_timestamp
    );
    assert_eq!(after.metadata.generation, before.metadata.generation);
    assert_eq!(after.metadata.labels["app"], "web");
}

#[test]
fn a_status_update_changes_the_status_alone_whatever_the_revision() {
    let mut state = state();
    state.accepted(Change::create(pod("a")));
    let mut reported: Pod = now(&state, "a");
    let mut labelled = reported.clone();
    labelled
        .metadata
        .labels
        .insert("app".to_owned(), "web".to_owned());
    state.accepted(Change::update(labelled));

    reported.status.phase = PodPhase::Running;
    reported.spec.containers.clear();
    state.accepted(Change::update_status(reported.clone()));
    let after: Pod = now(&state, "a");
    assert_eq!(after.status.phase, PodPhase::Running);
    assert_eq!(after.metadata.labels["app"], "web");
    assert_eq!(after.spec.containers.len(), 1);

    let revision = state.revision();
    assert_eq!(
        state.accepted(Change::update_status(reported)).effect,
        Effect::Nothing
    );
    assert_eq!(state.revision(), revision);
}

#[test]
fn kinds_without_status_have_none_to_update() {
    let mut state = state();
    state.accepted(Change::create(config_map("a")));
    let refusal = state.refused(Change::update_status(now::<ConfigMap>(&state, "a")));
    assert_eq!(
        refusal.to_string(),
        "ConfigMap default/a: status: this kind has none"
    );
}

#[test]
fn a_namespace_is_terminating_exactly_while_it_is_being_deleted() {
    let mut state = state();
    let mut space: Namespace = now(&state, "default");
    space.status.phase = NamespacePhase::Terminating;
    assert_eq!(
        state.accepted(Change::update_status(space)).effect,
        Effect::Nothing
    );
    state.accepted(delete(&object(&state, Kind::Namespace, "default")));
    let mut space: Namespace = now(&state, "default");
    assert_eq!(space.status.phase, NamespacePhase::Terminating);
    space.status.phase = NamespacePhase::Active;
    assert_eq!(
        state.accepted(Change::update_status(space)).effect,
        Effect::Nothing
    );
}

#[test]
fn what_is_not_there_cannot_be_changed() {
    let mut state = state();
    let change = Change::new(Verb::Update(Box::new(config_map("a").object())));
    assert_eq!(state.refused(change).to_string(), "ConfigMap default/a not found");
    assert!(!exists(&state, Kind::ConfigMap, "a"));
}

#[test]
fn an_update_neither_binds_nor_unbinds_a_pod() {
    let mut state = state();
    state.accepted(Change::create(pod("a")));
    state.accepted(super::bind("a", "n1"));
    for node in ["", "n2"] {
        let mut moved: Pod = now(&state, "a");
        node.clone_into(&mut moved.spec.node_name);
        let refusal = state.refused(Change::update(moved));
        assert!(
            refusal
                .to_string()
                .contains("spec.nodeName: is set by binding alone"),
            "{refusal}"
        );
    }
}

#[test]
fn a_namespace_with_other_labels_is_of_the_same_generation() {
    let mut state = state();
    state.accepted(Change::create(namespace("a")));
    let mut space: Namespace = now(&state, "a");
    space.metadata.labels.insert("team".to_owned(), "x".to_owned());
    let applied = state.accepted(Change::update(space));
    assert_eq!(
        (applied.effect, applied.object.meta().generation),
        (Effect::Modified, 1)
    );
}

#[test]
fn a_condition_of_a_binding_survives_an_update() {
    let mut state = state();
    state.accepted(Change::create(pod("a")));
    state.accepted(super::bind("a", "n1"));
    let mut labelled: Pod = now(&state, "a");
    labelled
        .metadata
        .labels
        .insert("app".to_owned(), "web".to_owned());
    labelled.status.conditions.clear();
    state.accepted(Change::update(labelled));
    let conditions = now::<Pod>(&state, "a").status.conditions;
    assert_eq!(conditions[0].status, ConditionStatus::True);
    assert_eq!(
        conditions[0].last_transition_time,
        Some(Time::from_millis(at(0).as_millis()))
    );
}
