//! A retry is harmless.

use skep_api::Kind;
use skep_state::{
    ANSWERS_MAX, ANSWERS_WEIGHT_MAX, Change, Entry, REQUESTS_MAX, Refusal, SENDERS_MAX, SENT_MAX, Sent, State,
};
use skep_testkit::{config_map, start};

use super::{Proposing, delete, exists, object, state};

fn request(id: &str, name: &str) -> Entry {
    Entry {
        request_id: id.to_owned(),
        sent: None,
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
fn a_refused_try_is_no_answer_to_the_request() {
    let mut state = state();
    state.apply(&request("other", "a"));
    let refused = state.apply(&request("r1", "a"));
    assert!(matches!(refused[0], Err(Refusal::AlreadyExists { .. })));
    let tried_again = state.apply(&request("r1", "b"));
    assert!(tried_again[0].is_ok(), "{tried_again:?}");
    assert_eq!(state.apply(&request("r1", "a")), tried_again);
}

#[test]
fn an_old_request_is_known_to_have_been_carried_out_though_its_answer_is_forgotten() {
    let mut state = state();
    let first = state.apply(&request("r0", "m0"));
    state.apply(&request("gone", "gone"));
    state.accepted(delete(&object(&state, Kind::ConfigMap, "gone")));
    for number in 1..=ANSWERS_MAX {
        state.apply(&request(&format!("r{number}"), &format!("m{number}")));
    }
    assert_eq!(
        state.apply(&request("r0", "m0")),
        first,
        "with the object as it is"
    );
    let after = state.clone();
    let again = state.apply(&request("gone", "gone"));
    let why = again[0].as_ref().unwrap_err().to_string();
    assert!(
        why.contains("carried out before") && why.contains("gone since"),
        "{why}"
    );
    assert!(state == after && !exists(&state, Kind::ConfigMap, "gone"));
}

#[test]
fn the_oldest_request_is_forgotten_first() {
    let mut state = state();
    state.apply(&request("r0", "m0"));
    state.apply(&request("r1", "m1"));
    for number in 2..=REQUESTS_MAX {
        state.apply(&Entry {
            changes: Vec::new(),
            ..request(&format!("r{number}"), "")
        });
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
    let large = |number: usize, text: usize| {
        let object = config_map(&format!("m{number}")).data("k", &"x".repeat(text));
        Entry {
            request_id: format!("r{number}"),
            sent: None,
            now: start(),
            changes: vec![Change::create(object)],
        }
    };
    const MIB: usize = 1024 * 1024;
    let fitting = usize::try_from(ANSWERS_WEIGHT_MAX).unwrap() / MIB;
    for number in 0..=fitting {
        state.apply(&large(number, MIB));
        state.accepted(delete(&object(&state, Kind::ConfigMap, &format!("m{number}"))));
    }
    let answer = |number: usize| state.answered(&format!("r{number}")).unwrap().remove(0);
    assert!(answer(fitting).is_ok(), "the newest is always remembered");
    assert!(answer(0).is_err(), "of the oldest, no more than that it was");
    assert_eq!(State::default().revision(), 0);
}

/// The `number`th proposal of a sender that waits for none before `settled`.
fn proposal(by: u64, number: u64, settled: u64, name: &str) -> Entry {
    Entry {
        sent: Some(Sent { by, number, settled }),
        ..request("", name)
    }
}

#[test]
fn a_proposal_that_arrives_again_is_answered_as_before_whatever_came_of_it() {
    let mut state = state();
    let accepted = state.apply(&proposal(1, 0, 0, "a"));
    let refused = state.apply(&proposal(1, 1, 0, "a"));
    assert!(accepted[0].is_ok() && refused[0].is_err());
    state.accepted(delete(&object(&state, Kind::ConfigMap, "a")));
    let after = state.clone();
    assert_eq!(state.apply(&proposal(1, 1, 0, "a")), refused);
    assert_eq!(state.apply(&proposal(1, 0, 0, "a")), accepted);
    assert!(!exists(&state, Kind::ConfigMap, "a"));
    assert!(state.revision() == after.revision());
    assert!(
        state.apply(&proposal(2, 0, 0, "a"))[0].is_ok(),
        "another's is another"
    );
}

#[test]
fn a_proposal_is_remembered_while_it_is_waited_for_however_much_is_written_meanwhile() {
    let mut state = state();
    let first = state.apply(&proposal(1, 0, 0, "a"));
    for number in 0..2 * REQUESTS_MAX as u64 {
        state.apply(&Entry {
            changes: Vec::new(),
            ..proposal(2, number, number, "")
        });
    }
    assert_eq!(state.apply(&proposal(1, 0, 0, "a")), first);
    assert!(state.answered_to(2, 0).is_none(), "nobody waits for it");
}

#[test]
fn a_proposal_that_nobody_waits_for_any_more_is_not_carried_out() {
    let mut state = state();
    state.apply(&proposal(1, 1, 1, "a"));
    assert!(state.apply(&proposal(1, 0, 0, "late"))[0].is_err());
    assert!(!exists(&state, Kind::ConfigMap, "late"));
}

#[test]
fn senders_are_bounded_and_the_one_that_is_silent_the_longest_is_forgotten() {
    let mut state = state();
    let proposals = (0..=SENDERS_MAX as u64).map(|by| proposal(by, 0, 0, &format!("m{by}")));
    proposals.for_each(|entry| drop(state.apply(&entry)));
    assert!(state.answered_to(0, 0).is_none());
    assert!(state.answered_to(1, 0).is_some());
    for number in 1..=SENT_MAX as u64 {
        state.apply(&proposal(1, number, 0, "a"));
    }
    assert!(
        state.answered_to(1, 0).is_none(),
        "it did not keep to what it may wait for"
    );
    assert!(state.apply(&proposal(1, 0, 0, "z"))[0].is_err());
}
