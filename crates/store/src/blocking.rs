//! Work that blocks, most of it on the disk.
//!
//! A runtime of many threads hands it to threads of its own. One of a single thread does it in place: there is nobody whom
//! it would hold up for long, and what happens after what does not depend on other threads. Simulations rely on that.

use std::{io, thread};

use tokio::{
    runtime::{Handle, RuntimeFlavor},
    sync::oneshot,
};

/// The niceness of what is done aside: a tenth of the processor time of what is not.
const NICE: i32 = 10;

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

/// Does long work that nobody waits for, on a thread of its own that gives way to all others where processors are short.
///
/// # Errors
/// As for [`blocking`].
pub(crate) async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    if in_place() {
        return Ok(work());
    }
    let (done, result) = oneshot::channel();
    thread::Builder::new()
        .name("skep-aside".to_owned())
        .spawn(move || {
            give_way();
            // Nobody waits any more where the store has stopped.
            done.send(work()).ok();
        })?;
    result
        .await
        .map_err(|_| io::Error::other("the work was not done"))
}

/// On Linux this is about the calling thread alone.
fn give_way() {
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::debug!(%error, "work aside goes on like any other");
    }
}
