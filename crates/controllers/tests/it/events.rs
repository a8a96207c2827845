//! Recording: equal events are counted, and no object has too many.

use skep_api::{Event, Kind, ObjectKey};
use skep_controllers::{EventNote, events};
use skep_state::{Entry, State};
use skep_testkit::{at, namespace, node, pod};

/// Records the notes and applies what comes of it, with a uid for each new event.
fn record(state: &mut State, notes: &[EventNote], secs: u64) {
    let mut changes = events::record(state, notes, "host-1", at(secs));
    for change in &mut changes {
        if let skep_state::Verb::Create(object) = &mut change.verb {
            let name = object.meta().name.clone();
            object.meta_mut().uid = format!("uid-{name}");
        }
    }
    let outcomes = state.apply(&Entry {
        request_id: String::new(),
        sent: None,
        now: at(secs),
        changes,
    });
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
}

fn cluster() -> State {
    let mut state = State::default();
    let changes = vec![skep_state::Change::create(namespace("default"))];
    state.apply(&Entry {
        request_id: String::new(),
        sent: None,
        now: at(0),
        changes,
    });
    state
}

fn note(message: &str) -> EventNote {
    EventNote::warning(&pod("web").build(), "scheduler", "FailedScheduling", message)
}

#[test]
fn same_happening_is_counted_in_one_event() {
    let mut state = cluster();
    record(&mut state, &[note("no room"), note("no room")], 1);
    record(&mut state, &[note("no room"), note("cordoned")], 5);
    let mut events: Vec<&Event> = state.list::<Event>(None).collect();
    events.sort_by_key(|event| event.count);
    let [cordoned, no_room] = events[..] else {
        panic!("{events:?}")
    };
    assert_eq!((cordoned.count, cordoned.first_timestamp), (1, Some(at(5))));
    assert_eq!(
        (no_room.count, no_room.first_timestamp, no_room.last_timestamp),
        (3, Some(at(1)), Some(at(5)))
    );
    assert_eq!(no_room.source.component, "scheduler");
    assert_eq!(no_room.source.host, "host-1");
    assert!(no_room.metadata.name.starts_with("web."));
}

#[test]
fn events_of_nodes_are_in_the_default_namespace() {
    let mut state = cluster();
    let note = EventNote::normal(&node("a").build(), "node-controller", "NodeNotReady", "lost");
    record(&mut state, &[note], 1);
    let event = state.list::<Event>(Some("default")).next().unwrap();
    assert_eq!(
        (
            event.involved_object.kind.as_str(),
            event.involved_object.name.as_str()
        ),
        ("Node", "a")
    );
}

#[test]
fn nothing_is_recorded_in_a_namespace_that_is_not_there() {
    let state = cluster();
    let note = EventNote::normal(
        &pod("web").namespace("gone").build(),
        "scheduler",
        "Scheduled",
        "to a",
    );
    assert_eq!(events::record(&state, &[note], "", at(1)), []);
}

#[test]
fn object_keeps_its_latest_events_only() {
    let mut state = cluster();
    let other = EventNote::normal(&pod("web.2").build(), "scheduler", "Scheduled", "to a");
    record(&mut state, &[other], 0);
    for index in 0..100 {
        record(
            &mut state,
            &[note(&format!("attempt {index}")), note(&format!("again {index}"))],
            1 + index,
        );
    }
    let max = events::EVENTS_PER_OBJECT_MAX;
    assert_eq!(state.count(Kind::Event), max + 1);
    assert!(
        state
            .list::<Event>(None)
            .any(|event| event.message == "attempt 99")
    );
    assert!(
        !state
            .list::<Event>(None)
            .any(|event| event.message == "attempt 50")
    );
}

#[test]
fn flood_in_one_entry_is_cut() {
    let mut state = cluster();
    let notes: Vec<EventNote> = (0..500).map(|index| note(&format!("attempt {index}"))).collect();
    record(&mut state, &notes, 1);
    assert_eq!(state.count(Kind::Event), events::EVENTS_PER_OBJECT_MAX);
}

#[test]
fn long_names_and_messages_are_cut() {
    let mut state = cluster();
    let name = "x".repeat(253);
    let long = EventNote::normal(&pod(&name).build(), "scheduler", "Scheduled", "ä".repeat(4000));
    record(&mut state, &[long], 1);
    let event = state.list::<Event>(None).next().unwrap();
    assert!(event.metadata.name.len() <= 253 && event.message.len() <= 1024);
    assert!(
        state
            .object(Kind::Event, &ObjectKey::new("default", &event.metadata.name))
            .is_some()
    );
}
