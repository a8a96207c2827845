//! Reads, snapshots in time, and the history.

use skep_api::{ConfigMap, Kind, ObjectKey};
use skep_state::{Change, HISTORY_EVENTS_MAX, HISTORY_WEIGHT_MAX};
use skep_testkit::{config_map, namespace, pod, replica_set};

use super::{Proposing, delete, exists, now, object, state};

#[test]
fn objects_come_in_the_order_of_their_keys_and_page_by_page() {
    let mut state = state();
    state.accepted(Change::create(namespace("other")));
    for (space, name) in [
        ("other", "a"),
        ("default", "c"),
        ("default", "a"),
        ("default", "b"),
    ] {
        state.accepted(Change::create(config_map(name).namespace(space)));
    }
    let keys = |namespace, after: Option<&ObjectKey>| -> Vec<String> {
        state
            .objects_after(Kind::ConfigMap, namespace, after)
            .map(|object| object.key().to_string())
            .collect()
    };
    assert_eq!(
        keys(None, None),
        ["default/a", "default/b", "default/c", "other/a"]
    );
    assert_eq!(
        keys(Some("default"), None),
        ["default/a", "default/b", "default/c"]
    );
    assert_eq!(keys(Some("def"), None), [""; 0]);
    let after = ObjectKey::new("default", "b");
    assert_eq!(keys(None, Some(&after)), ["default/c", "other/a"]);
    assert_eq!(keys(Some("default"), Some(&after)), ["default/c"]);
    assert_eq!(keys(Some("other"), Some(&after)), ["other/a"]);
    assert_eq!((state.count(Kind::ConfigMap), state.len()), (4, 6));
}

#[test]
fn a_clone_stays_as_it_was() {
    let mut state = state();
    state.accepted(Change::create(config_map("a")));
    let earlier = state.clone();
    state.accepted(delete(&object(&state, Kind::ConfigMap, "a")));
    assert!(exists(&earlier, Kind::ConfigMap, "a"));
    assert!(!exists(&state, Kind::ConfigMap, "a"));
}

#[test]
fn dependents_and_uids_are_found() {
    let mut state = state();
    let owner = replica_set("web", 1).build();
    state.accepted(Change::create(pod("a").owned_by(&owner)));
    let dependents = |state: &skep_state::State| state.owned_by(&owner.metadata.uid).count();
    assert_eq!(dependents(&state), 1, "the owner need not be there");
    state.accepted(Change::create(owner.clone()));
    assert_eq!(
        state.by_uid(&owner.metadata.uid).unwrap().kind(),
        Kind::ReplicaSet
    );

    let mut orphan: skep_api::Pod = now(&state, "a");
    orphan.metadata.owner_references.clear();
    state.accepted(Change::update(orphan));
    assert_eq!(dependents(&state), 0);
    state.accepted(delete(&object(&state, Kind::ReplicaSet, "web")));
    assert!(state.by_uid(&owner.metadata.uid).is_none());
}

#[test]
fn the_history_tells_what_happened_after_a_revision() {
    let mut state = state();
    state.accepted(Change::create(config_map("a")));
    let mut changed: ConfigMap = now(&state, "a");
    changed.data.insert("k".to_owned(), "v".to_owned());
    state.accepted(Change::update(changed));
    state.accepted(delete(&object(&state, Kind::ConfigMap, "a")));
    let events: Vec<_> = state
        .changes_since(1)
        .unwrap()
        .map(|event| (event.revision, event.before.is_some(), event.after.is_some()))
        .collect();
    assert_eq!(events, [(2, false, true), (3, true, true), (4, true, false)]);
    assert_eq!(state.changes_since(4).unwrap().count(), 0);
    assert_eq!(state.changes_since(u64::MAX).unwrap().count(), 0);
}

#[test]
fn the_history_is_bounded_by_number() {
    let mut state = state();
    state.accepted(Change::create(config_map("a")));
    for number in 0..HISTORY_EVENTS_MAX {
        let mut changed: ConfigMap = now(&state, "a");
        changed.data.insert("k".to_owned(), number.to_string());
        state.accepted(Change::update(changed));
    }
    assert_eq!(state.changes_since(0).err().unwrap().oldest, 2);
    assert_eq!(state.changes_since(2).unwrap().count(), HISTORY_EVENTS_MAX);
}

#[test]
fn the_history_is_bounded_by_weight() {
    let mut state = state();
    let large = 1024 * 1024;
    for number in 0..40 {
        state.accepted(Change::create(
            config_map(&format!("m{number}")).data("k", &"x".repeat(large)),
        ));
    }
    let oldest = state.changes_since(0).err().unwrap().oldest;
    let kept = state.changes_since(oldest).unwrap().count() as u64;
    assert!(
        kept * large as u64 <= HISTORY_WEIGHT_MAX && kept >= 20,
        "{kept} large events are kept"
    );
}
