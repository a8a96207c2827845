//! What all simulations share: small objects, and waiting for something to come true.

use std::time::Duration;

use skep_api::{ConfigMap, ObjectKey, Time};
use skep_state::{Change, Entry, State};
use tokio::time::{Instant, sleep};

use crate::hermetic;

/// Nothing takes longer than this once misfortune has ended.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) fn entry(request_id: &str, changes: impl IntoIterator<Item = Change>) -> Entry {
    Entry {
        request_id: request_id.to_owned(),
        sent: None,
        now: now(),
        changes: changes.into_iter().collect(),
    }
}

/// The wall clock's time.
pub(crate) fn now() -> Time {
    skep_testkit::start().plus(hermetic::elapsed())
}

pub(crate) fn key(name: &str) -> ObjectKey {
    ObjectKey::new("default", name)
}

pub(crate) fn has(state: &State, name: &str) -> bool {
    state.get::<ConfigMap>(&key(name)).is_some()
}

/// Waits until something holds; says what, where it never does.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < deadline, "it never came to this: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}
