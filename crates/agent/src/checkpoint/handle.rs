//! What is to be kept: the newest of each document waits here until it is written. Nobody waits for the disk.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use skep_api::{Object, ObjectKey, PodStatus};
use tokio::sync::Notify;

use super::{
    saved::{OWNER, Owner, Saved, document, encode, named, pod_name, status_name},
    store::Changes,
};

/// What is to be kept.
#[derive(Debug, Default)]
pub(crate) struct Checkpoint {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// What is not written yet.
    pending: Changes,
    /// Documents that are on the disk or will be.
    names: BTreeSet<String>,
    /// A server has said what there is; all else goes.
    is_told: bool,
}

impl Checkpoint {
    /// This is on the disk when the agent starts.
    pub(crate) fn begin(&self, saved: &Saved) {
        self.found(&saved.names);
    }

    /// Whose it is.
    pub(crate) fn own(&self, owner: &Owner) {
        self.change(|state| state.put(OWNER.to_owned(), encode(owner)));
    }

    /// These objects are all there is for this node.
    pub(crate) fn replace(&self, objects: &[Object]) {
        self.change(|state| {
            let mut keep = BTreeSet::from([OWNER.to_owned()]);
            for object in objects {
                if let Object::Pod(pod) = object {
                    keep.insert(status_name(&pod.metadata.uid));
                }
                if let Some((name, bytes)) = document(object) {
                    keep.insert(name.clone());
                    state.put(name, bytes);
                }
            }
            for name in state.names.clone().difference(&keep) {
                state.remove(name);
            }
            state.is_told = true;
        });
    }

    /// An object is new or has changed.
    pub(crate) fn put(&self, object: &Object) {
        if let Some((name, bytes)) = document(object) {
            self.change(|state| state.put(name, bytes));
        }
    }

    /// A pod is not to run here any more.
    pub(crate) fn remove_pod(&self, uid: &str) {
        self.change(|state| {
            state.remove(&pod_name(uid));
            state.remove(&status_name(uid));
        });
    }

    /// A config map or secret is not there any more.
    pub(crate) fn remove(&self, kind: &str, key: &ObjectKey) {
        self.change(|state| state.remove(&named(kind, &key.namespace, &key.name)));
    }

    /// How a pod is doing; nothing is kept of a pod that is not to run here.
    pub(crate) fn status(&self, uid: &str, status: &PodStatus) {
        self.change(|state| {
            if state.names.contains(&pod_name(uid)) {
                state.put(status_name(uid), encode(status));
            }
        });
    }

    /// These documents are on the disk.
    pub(super) fn found(&self, names: &BTreeSet<String>) {
        self.change(|state| {
            for name in names {
                if !state.names.contains(name) && state.is_told {
                    state.pending.insert(name.clone(), None);
                } else {
                    state.names.insert(name.clone());
                }
            }
        });
    }

    /// Waits for something to write.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// What is to be written; empty where all is.
    pub(crate) fn take(&self) -> Changes {
        std::mem::take(&mut self.lock().pending)
    }

    /// This could not be written, and is to be tried again unless there is something newer.
    pub(super) fn give_back(&self, changes: &Changes) {
        self.change(|state| {
            for (name, document) in changes {
                let pending = state.pending.entry(name.clone());
                pending.or_insert_with(|| document.clone());
            }
        });
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn put(&mut self, name: String, bytes: Vec<u8>) {
        self.names.insert(name.clone());
        self.pending.insert(name, Some(bytes));
    }

    fn remove(&mut self, name: &str) {
        if self.names.remove(name) {
            self.pending.insert(name.to_owned(), None);
        }
    }
}
