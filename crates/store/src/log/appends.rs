//! Lets appends that come while the disk is busy share the next way to it.

use std::{
    io,
    sync::{Mutex, PoisonError},
};

use openraft::storage::IOFlushed;
use tokio::sync::Notify;

use super::Log;
use crate::raft::Types;

/// Appends that are written to the log's buffer and not yet to the disk.
#[derive(Default)]
pub(super) struct Appends {
    waiting: Mutex<Vec<IOFlushed<Types>>>,
    come: Notify,
}

impl Appends {
    /// Call once the entries are in the log's buffer.
    pub(super) fn add(&self, callback: IOFlushed<Types>) {
        self.lock().push(callback);
        self.come.notify_one();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<IOFlushed<Types>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log {
    /// Makes appends durable, as many at a time as there are; runs until it is dropped. Without it, no append ends.
    pub(crate) async fn flush_appends(self) {
        loop {
            self.appends.come.notified().await;
            let callbacks = std::mem::take(&mut *self.appends.lock());
            if callbacks.is_empty() {
                continue;
            }
            let result = self.durably(|_| Ok(())).await;
            for callback in callbacks {
                callback.io_completed(match &result {
                    Ok(()) => Ok(()),
                    Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
                });
            }
        }
    }
}
