//! The rules by which the state changes, one by one and as laws over random histories.

#![expect(clippy::unwrap_used, reason = "a test that fails says where")]

mod binding;
mod creating;
mod deleting;
mod evicting;
mod laws;
mod quotas;
mod reading;
mod requests;
mod updating;

use std::sync::Arc;

use skep_api::{Kind, Object, ObjectKey, Resource};
use skep_state::{Applied, Change, DeleteOptions, Entry, Outcome, Propagation, Refusal, State, Verb};
use skep_testkit::{namespace, start};

/// A state with the namespace `default`.
fn state() -> State {
    let mut state = State::default();
    state.accepted(Change::create(namespace("default")));
    state
}

fn entry(changes: impl IntoIterator<Item = Change>) -> Entry {
    Entry {
        request_id: String::new(),
        sent: None,
        now: start(),
        changes: changes.into_iter().collect(),
    }
}

trait Proposing {
    fn proposed(&mut self, change: Change) -> Outcome;
    fn accepted(&mut self, change: Change) -> Applied;
    fn refused(&mut self, change: Change) -> Refusal;
}

impl Proposing for State {
    fn proposed(&mut self, change: Change) -> Outcome {
        self.apply(&entry([change])).remove(0)
    }

    fn accepted(&mut self, change: Change) -> Applied {
        self.proposed(change)
            .unwrap_or_else(|refusal| panic!("refused: {refusal}"))
    }

    fn refused(&mut self, change: Change) -> Refusal {
        let before = self.clone();
        let refusal = self.proposed(change).expect_err("it was accepted");
        assert!(*self == before, "a refused change left a trace");
        refusal
    }
}

/// The object as it is now, to change and to put back.
fn now<K: Resource>(state: &State, name: &str) -> K {
    let namespace = if K::KIND.namespaced() { "default" } else { "" };
    state
        .get::<K>(&ObjectKey::new(namespace, name))
        .unwrap_or_else(|| panic!("{name} is not there"))
        .clone()
}

fn exists(state: &State, kind: Kind, name: &str) -> bool {
    let namespace = if kind.namespaced() { "default" } else { "" };
    state.object(kind, &ObjectKey::new(namespace, name)).is_some()
}

fn delete(object: &Object) -> Change {
    Change::delete(object, DeleteOptions::default())
}

fn delete_in(object: &Object, seconds: i64) -> Change {
    Change::delete(
        object,
        DeleteOptions {
            grace_seconds: Some(seconds),
            ..DeleteOptions::default()
        },
    )
}

fn delete_by(object: &Object, propagation: Propagation) -> Change {
    Change::delete(
        object,
        DeleteOptions {
            propagation,
            ..DeleteOptions::default()
        },
    )
}

fn object(state: &State, kind: Kind, name: &str) -> Arc<Object> {
    let namespace = if kind.namespaced() { "default" } else { "" };
    state
        .object(kind, &ObjectKey::new(namespace, name))
        .unwrap()
        .clone()
}

fn bind(pod: &str, node: &str) -> Change {
    Change::new(Verb::Bind {
        pod: ObjectKey::new("default", pod),
        node: node.to_owned(),
    })
}
