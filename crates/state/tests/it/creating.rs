//! New objects.

use skep_api::Kind;
use skep_state::{Change, Effect, Precondition, Refusal, Verb, fold_copies};
use skep_testkit::{config_map, namespace, node, pod, start};

use super::{Proposing, delete, entry, object, state};

#[test]
fn a_new_object_gets_the_next_revision_and_generation_one() {
    let mut state = state();
    let applied = state.accepted(Change::create(config_map("a")));
    let meta = applied.object.meta();
    assert_eq!((applied.revision, applied.effect), (2, Effect::Added));
    assert_eq!((meta.resource_version.as_str(), meta.generation), ("2", 1));
    assert_eq!(meta.creation_timestamp, Some(start()));
    assert_eq!(state.revision(), 2);
}

#[test]
fn what_only_the_server_may_set_is_not_taken_from_the_proposer() {
    let mut state = state();
    let applied = state.accepted(Change::create(config_map("a").deleting(start()).revision(77)));
    let meta = applied.object.meta();
    assert!(!meta.is_deleting());
    assert_eq!(meta.deletion_grace_period_seconds, None);
    assert_eq!(meta.revision(), 2);
}

#[test]
fn copies_of_a_pod_are_said_once_and_are_pods_like_any_other() {
    let changes = ["a", "b", "c"].map(|name| Change::create(pod(name).label("app", "web").uid(name)));
    let folded = fold_copies(changes.to_vec());
    assert!(matches!(folded[0].verb, Verb::Create(_)));
    assert!(matches!(&folded[2].verb, Verb::CreateLike { name, .. } if name == "c"));
    let (mut state, mut other) = (state(), state());
    assert_eq!(state.apply(&entry(folded)), other.apply(&entry(changes)));
    assert!(state == other);
    let labels = |name| object(&state, Kind::Pod, name).meta().labels.clone();
    assert_eq!(labels("a"), labels("c"));
}

#[test]
fn a_copy_of_nothing_is_refused() {
    let mut state = state();
    let copy = || {
        Change::new(Verb::CreateLike {
            name: "b".to_owned(),
            uid: "b".to_owned(),
        })
    };
    let why = "there is no pod before it in the entry that it could be like";
    assert_eq!(state.refused(copy()).to_string(), why);
    let within = Change::new(Verb::All(vec![Change::create(pod("a")), copy()]));
    assert_eq!(state.refused(within).to_string(), why);
}

#[test]
fn a_name_is_taken_once() {
    let mut state = state();
    state.accepted(Change::create(config_map("a")));
    let refusal = state.refused(Change::create(config_map("a").uid("another")));
    assert_eq!(refusal.to_string(), "ConfigMap default/a already exists");
}

#[test]
fn a_uid_is_taken_once() {
    let mut state = state();
    state.accepted(Change::create(config_map("a").uid("u")));
    let refusal = state.refused(Change::create(config_map("b").uid("u")));
    assert!(matches!(refusal, Refusal::Invalid(_)), "{refusal}");
}

#[test]
fn nothing_is_created_in_a_namespace_that_is_missing_or_ends() {
    let mut state = state();
    let refusal = state.refused(Change::create(config_map("a").namespace("nowhere")));
    assert_eq!(
        refusal.to_string(),
        "namespace nowhere does not exist: nothing can be created in it"
    );

    state.accepted(Change::create(namespace("ending")));
    let ending = object(&state, Kind::Namespace, "ending");
    state.accepted(delete(&ending));
    let refusal = state.refused(Change::create(config_map("a").namespace("ending")));
    assert_eq!(
        refusal.to_string(),
        "namespace ending is being deleted: nothing can be created in it"
    );
}

#[test]
fn names_must_fit_the_kind() {
    let mut state = state();
    for (object, why) in [
        (config_map("").object(), "metadata.name: is missing"),
        (
            config_map("a\0b").object(),
            "metadata.name: has control characters",
        ),
        (
            config_map("a").namespace("").object(),
            "metadata.namespace: is missing",
        ),
        (
            node("a").namespace("default").object(),
            "metadata.namespace: must be empty",
        ),
    ] {
        let refusal = state.refused(Change::create(object)).to_string();
        assert!(refusal.contains(why), "{refusal}");
    }
    let mut without_uid = pod("a").object();
    without_uid.meta_mut().uid.clear();
    assert!(
        state
            .refused(Change::create(without_uid))
            .to_string()
            .contains("metadata.uid: is missing")
    );
}

#[test]
fn a_precondition_on_what_is_not_there_does_not_hold() {
    let mut state = state();
    let only_if = Precondition {
        revision: Some(1),
        ..Precondition::default()
    };
    let change = Change {
        only_if,
        ..Change::create(config_map("a"))
    };
    assert!(matches!(state.refused(change), Refusal::Conflict { .. }));
}

#[test]
fn changes_of_one_entry_see_each_other_and_are_refused_one_by_one() {
    let mut state = state();
    let changes = [
        Change::create(namespace("new")),
        Change::create(config_map("a").namespace("nowhere")),
        Change::create(config_map("a").namespace("new")),
    ];
    let outcomes = state.apply(&super::entry(changes));
    let accepted: Vec<_> = outcomes.iter().map(Result::is_ok).collect();
    assert_eq!(accepted, [true, false, true]);
    assert_eq!(state.revision(), 3);
}
