//! A leader whose disk is nearly full hands the lead over: the cluster goes on where there is space.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::{sync::Notify, time::sleep};

use crate::{peers::Manage, store::Inner};

/// Where the others have no space either, the lead is not handed round all the time.
const PAUSE: Duration = Duration::from_secs(10);

/// Hands the lead to another server each time that this one had to refuse a write for want of space.
pub(crate) async fn give_way(inner: Weak<Inner>, short_of_space: Arc<Notify>) {
    loop {
        short_of_space.notified().await;
        let Some(inner) = inner.upgrade() else { return };
        if inner.view.borrow().leads && inner.heir().is_some() {
            tracing::warn!(
                folder = %inner.config.dir.display(),
                "the disk is nearly full: free some space; another server is to lead meanwhile"
            );
            if let Err(error) = inner.manage_here(Manage::Transfer(None)).await {
                tracing::warn!(%error, "the lead was not handed over");
            }
        }
        drop(inner);
        sleep(PAUSE).await;
    }
}
