//! Several servers over a network that is all in memory: it delays, loses, doubles and reorders messages, and is cut.

#![expect(clippy::unwrap_used, reason = "a test that fails says where")]

mod archive;
mod failover;
mod following;
mod members;
mod net;
mod once;
mod servers;

use std::time::Duration;

use skep_api::{ConfigMap, Object, ObjectKey};
use skep_state::{Change, Entry, Outcome, State};
use skep_store::{ProposeError, Store};
use skep_testkit::{config_map, noise, start};
use tokio::time::{Instant, sleep};

/// No test waits longer for anything: the machine may be busy, but not that busy.
const PATIENCE: Duration = Duration::from_secs(60);

fn entry(request_id: &str, changes: impl IntoIterator<Item = Change>) -> Entry {
    Entry {
        request_id: request_id.to_owned(),
        sent: None,
        now: start(),
        changes: changes.into_iter().collect(),
    }
}

fn key(name: &str) -> ObjectKey {
    ObjectKey::new("default", name)
}

fn has(state: &State, name: &str) -> bool {
    state.get::<ConfigMap>(&key(name)).is_some()
}

/// Creates a config map with a text of so many bytes.
async fn write(store: &Store, name: &str, bytes: usize) -> Result<Vec<Outcome>, ProposeError> {
    let object: Object = config_map(name).data("text", &noise(name, bytes)).object();
    store.propose(entry(name, [Change::create(object)])).await
}

/// Waits until something holds; says what, where it never does.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < deadline, "it never came to this: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}
