//! What a leader finds to do among many objects that have nothing to do with each other.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use skep_controllers::{Manager, Moment, Settings};
use skep_state::{Change, Entry, State};
use skep_testkit::{namespace, node, pod, replica_set, start};

fn apply(state: &mut State, changes: impl IntoIterator<Item = Change>) {
    let outcomes = state.apply(&Entry {
        request_id: String::new(),
        sent: None,
        now: start(),
        changes: changes.into_iter().collect(),
    });
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
}

/// A namespace with so many pods that nobody manages, and as many replica sets that select none of them.
fn strangers(count: usize) -> State {
    let mut state = State::default();
    apply(
        &mut state,
        [Change::create(namespace("default")), Change::create(node("a"))],
    );
    for number in 0..count {
        let bare = pod(&format!("bare-{number}"))
            .label("app", &format!("service-{}", number % 100))
            .label("part-of", "product")
            .node("a");
        let mut set = replica_set(&format!("old-{number}"), 0).build();
        set.status.observed_generation = 1;
        apply(&mut state, [Change::create(bare), Change::create(set)]);
    }
    state
}

/// How long a new leader takes to look at everything.
fn term(state: &State) -> Duration {
    let begun = Instant::now();
    let mut manager = Manager::new(state);
    loop {
        // What it wants is not written: that is no part of finding it out.
        manager.decide(&Moment {
            state,
            wall: start(),
            at: Duration::ZERO,
            leases: &|_| BTreeMap::new(),
            settings: &Settings::default(),
        });
        if !manager.is_ready() {
            return begun.elapsed();
        }
    }
}

#[test]
fn what_a_new_leader_does_grows_with_the_objects_and_not_with_their_square() {
    let (few, many) = (strangers(500), strangers(4000));
    let best = |state: &State| (0..3).map(|_| term(state)).min().unwrap();
    let (few, many) = (best(&few), best(&many));
    // Eight times the objects: 64 times the work where each of them is held against all others.
    assert!(many < few * 24, "{few:?} for 500 of each, {many:?} for 4000");
}
