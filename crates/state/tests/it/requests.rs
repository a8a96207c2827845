//! A retry is harmless.

use skep_state::{Change, Entry, REQUESTS_MAX, REQUESTS_WEIGHT_MAX, State};
use skep_testkit::{config_map, start};

use super::state;

fn request(id: &str, name: &str) -> Entry {
    Entry {
        request_id: id.to_owned(),
        now: start(),
        changes: vec![Change::create(config_map(name))],
    }
}

#[test]
fn the_same_request_changes_nothing_and_is_answered_as_before() {
    let mut state = state();
    let first = state.apply(&request("r1", "a"));
    let after = state.clone();
    assert_eq!(state.apply(&request("r1", "a")), first);
    assert_eq!(state.apply(&request("r1", "something-else")), first);
    assert!(state == after);
}

#[test]
fn requests_without_id_are_not_remembered() {
    let mut state = state();
    assert!(state.apply(&request("", "a"))[0].is_ok());
    assert!(state.apply(&request("", "a"))[0].is_err());
}

#[test]
fn the_oldest_request_is_forgotten_first() {
    let mut state = state();
    for number in 0..=REQUESTS_MAX {
        state.apply(&request(&format!("r{number}"), &format!("m{number}")));
    }
    assert!(state.apply(&request("r1", "m1"))[0].is_ok(), "remembered");
    assert!(
        state.apply(&request("r0", "m0"))[0].is_err(),
        "forgotten, and so tried again"
    );
}

#[test]
fn remembered_answers_are_bounded_by_what_they_weigh() {
    let mut state = state();
    let large = |number: usize| {
        let object = config_map(&format!("m{number}")).data("k", &"x".repeat(1024 * 1024));
        Entry {
            request_id: format!("r{number}"),
            now: start(),
            changes: vec![Change::create(object)],
        }
    };
    let fitting = usize::try_from(REQUESTS_WEIGHT_MAX / (1024 * 1024)).unwrap();
    for number in 0..=fitting {
        state.apply(&large(number));
    }
    assert!(
        state.apply(&large(fitting))[0].is_ok(),
        "the newest is always remembered"
    );
    assert!(state.apply(&large(0))[0].is_err(), "the oldest had to go");
    assert_eq!(State::default().revision(), 0);
}
