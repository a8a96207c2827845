//! What it costs to create, update and get an object among 100,000 of about 256 bytes.
//!
//! `cargo bench -p skep-state --bench state [-- --json]`. The peer is swarmkit's in-memory store on a machine of this kind.

use std::{hint::black_box, time::Instant};

use skep_api::{ConfigMap, Object, ObjectKey, ObjectMeta, Resource};
use skep_state::{Change, Entry, State};

const OBJECTS: usize = 100_000;

fn main() {
    let json = std::env::args().any(|arg| arg == "--json");
    let mut state = State::default();
    let default = skep_api::Namespace {
        metadata: meta("", "default"),
        ..Default::default()
    };
    state.apply(&entry(Change::create(default)));

    let created: Vec<Entry> = (0..OBJECTS)
        .map(|number| entry(Change::create(object(number, "a"))))
        .collect();
    let create = micros(|| created.iter().for_each(|entry| accepted(&mut state, entry)));

    let updated: Vec<Entry> = (0..OBJECTS)
        .map(|number| {
            let key = ObjectKey::new("default", name(number));
            let mut map = state.get::<ConfigMap>(&key).expect("it was created").clone();
            map.data.insert("text".to_owned(), "b".repeat(120));
            entry(Change::update(map))
        })
        .collect();
    let update = micros(|| {
        for entry in &updated {
            // A reader holds a snapshot now and then, so that what is shared must be copied.
            let _reader = state.clone();
            accepted(&mut state, entry);
        }
    });

    let keys: Vec<ObjectKey> = (0..OBJECTS)
        .map(|number| ObjectKey::new("default", name(number * 7919 % OBJECTS)))
        .collect();
    let get = micros(|| {
        for key in &keys {
            black_box(state.get::<ConfigMap>(key).expect("it was created"));
        }
    });

    for (row, ours, peer) in [
        ("create", create, 15.0),
        ("update", update, 18.6),
        ("get", get, 1.4),
    ] {
        let ratio = ours / peer;
        if json {
            println!(
                r#"{{"bench":"state","row":"{row}","ours":{ours:.2},"peer":{peer},"unit":"us","ratio":{ratio:.3},"aim":1,"met":{}}}"#,
                ratio <= 1.0
            );
        } else {
            println!("{row:8} {ours:8.2} us   swarmkit {peer:5.1} us   ratio {ratio:.2}");
        }
    }
}

/// Microseconds for each object.
fn micros(work: impl FnOnce()) -> f64 {
    let began = Instant::now();
    work();
    began.elapsed().as_secs_f64() * 1e6 / OBJECTS as f64
}

fn accepted(state: &mut State, entry: &Entry) {
    assert!(
        state.apply(entry).iter().all(Result::is_ok),
        "a change was refused"
    );
}

fn entry(change: Change) -> Entry {
    Entry {
        request_id: String::new(),
        sent: None,
        now: skep_api::Time::from_secs(1_767_225_600),
        changes: vec![change],
    }
}

fn object(number: usize, letter: &str) -> Object {
    let mut map = ConfigMap {
        metadata: meta("default", &name(number)),
        ..ConfigMap::default()
    };
    map.data.insert("text".to_owned(), letter.repeat(120));
    map.into_object()
}

fn meta(namespace: &str, name: &str) -> ObjectMeta {
    let uid = format!("00000000-0000-4000-8000-{name:>012}");
    ObjectMeta {
        name: name.to_owned(),
        namespace: namespace.to_owned(),
        uid,
        ..ObjectMeta::default()
    }
}

fn name(number: usize) -> String {
    format!("m{number}")
}
