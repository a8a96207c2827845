//! Work that blocks, most of it on the disk.
//!
//! A runtime of many threads hands it to threads of its own. One of a single thread does it in place: there is nobody whom
//! it would hold up for long, and what happens after what does not depend on other threads. Simulations rely on that.

use std::io;

use tokio::runtime::{Handle, RuntimeFlavor};

/// True where work that blocks is done in place. Only within a runtime.
pub(crate) fn in_place() -> bool {
    Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread
}

/// Does the work and waits for it.
///
/// # Errors
/// Where the runtime ends before the work does, or the work panics on another thread.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    if in_place() {
        return Ok(work());
    }
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)
}
