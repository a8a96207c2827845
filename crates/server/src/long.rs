//! Work that takes a processor for long.

use tokio::runtime::{Handle, RuntimeFlavor};

/// Does the work while another thread takes over all else that this one had to do: what the servers tell each other does not
/// wait for it. A runtime of a single thread, as simulations have, does it in place.
pub(crate) fn long<T>(work: impl FnOnce() -> T) -> T {
    match Handle::current().runtime_flavor() {
        RuntimeFlavor::CurrentThread => work(),
        _ => tokio::task::block_in_place(work),
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, time::Duration};

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn others_go_on_beside_it_though_there_is_one_thread() {
        let worked = tokio::spawn(async {
            let (others, told) = mpsc::channel();
            tokio::spawn(async move { others.send(()) });
            long(|| told.recv_timeout(Duration::from_secs(30)))
        });
        assert_eq!(worked.await.unwrap(), Ok(()));
    }

    #[tokio::test]
    async fn a_runtime_of_a_single_thread_does_it_in_place() {
        assert_eq!(long(|| 7), 7);
    }
}
