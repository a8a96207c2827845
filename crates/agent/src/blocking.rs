//! Work that blocks, most of it on the disk.
//!
//! A runtime of many threads hands it to threads of its own. One of a single thread does it in place: what happens after
//! what does not depend on other threads then. Simulations rely on that.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use tokio::runtime::{Handle, RuntimeFlavor};

/// Does the work and waits for it; the payload of its panic where it panics.
pub(crate) async fn caught<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> std::thread::Result<T> {
    if Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread {
        return catch_unwind(AssertUnwindSafe(work));
    }
    tokio::task::spawn_blocking(work)
        .await
        .map_err(tokio::task::JoinError::into_panic)
}

/// Does the work and waits for it; panics where it does.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    caught(work).await.unwrap_or_else(|panic| resume_unwind(panic))
}
