//! The store as its users see it, on a real file system.

#![expect(clippy::unwrap_used, reason = "a test that fails says where")]

mod basics;
mod compaction;
mod crash;
mod damage;
mod disk_full;
mod sealed;

use skep_api::{ConfigMap, Object, ObjectKey};
use skep_state::{Applied, Change, Entry, Outcome, State};
use skep_store::{ProposeError, Store, StoreConfig};
use skep_testkit::{config_map, namespace, noise, start};
use tempfile::TempDir;

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn entry(changes: impl IntoIterator<Item = Change>) -> Entry {
    Entry {
        request_id: String::new(),
        sent: None,
        now: start(),
        changes: changes.into_iter().collect(),
    }
}

fn key(name: &str) -> ObjectKey {
    ObjectKey::new("default", name)
}

/// A store with the namespace `default`, which is made where it is missing.
async fn open(config: StoreConfig) -> Store {
    let store = Store::open(config).await.unwrap();
    if store.state().is_empty() {
        accepted(&store, [Change::create(namespace("default"))]).await;
    }
    store
}

async fn accepted(store: &Store, changes: impl IntoIterator<Item = Change>) -> Vec<Applied> {
    let outcomes = store.propose(entry(changes)).await.unwrap();
    outcomes.into_iter().collect::<Result<_, _>>().unwrap()
}

async fn write(store: &Store, name: &str, bytes: usize) -> Result<Vec<Outcome>, ProposeError> {
    let object: Object = config_map(name).data("text", &noise(name, bytes)).object();
    store.propose(entry([Change::create(object)])).await
}

fn has(state: &State, name: &str) -> bool {
    state.get::<ConfigMap>(&key(name)).is_some()
}
