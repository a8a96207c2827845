//! What the leader does: wakes controllers and the scheduler for what changed, and writes all they want in one entry.

mod entry;
mod term;

use std::sync::Arc;

use crate::{bootstrap::bootstrap, core::Core};

use self::term::Term;

/// Leads whenever this server is the leader, until the server ends.
pub(crate) async fn lead(core: Arc<Core>) {
    let mut leadership = core.store.leadership();
    loop {
        let leads = leadership.wait_for(|leads| *leads);
        tokio::select! {
            leads = leads => if leads.is_err() { return },
            () = core.shutdown.cancelled() => return,
        }
        let lost = {
            let mut leadership = leadership.clone();
            async move { drop(leadership.wait_for(|leads| !*leads).await) }
        };
        tracing::info!("leading");
        if core.peers.is_some()
            && let Err(failure) = bootstrap(&core).await
        {
            tracing::warn!(
                why = tonic::Status::from(failure).message(),
                "the cluster is not prepared"
            );
        }
        tokio::select! {
            () = Term::new(core.clone()).run() => {}
            () = lost => tracing::info!("not leading any more"),
            () = core.shutdown.cancelled() => return,
        }
    }
}
