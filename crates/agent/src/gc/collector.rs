//! Looks at the engine's disk now and then, and removes what the policy says.

use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::{sync::watch, time::MissedTickBehavior};

use super::policy::{Uses, bytes_to_free, choose};
use crate::{
    clock,
    engine::EngineState,
    node::disk,
    runtime::{HOLDER_IMAGE, RuntimeError},
    shared::Shared,
};

const EVERY: Duration = Duration::from_secs(300);

/// Runs for ever. `in_use` has the images of assigned pods.
pub(crate) async fn collect(
    shared: Arc<Shared>,
    engine: watch::Receiver<EngineState>,
    in_use: watch::Receiver<BTreeSet<String>>,
) {
    let mut uses = Uses::default();
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let EngineState { info, away } = engine.borrow().clone();
        let Some(info) = info.filter(|_| away.is_none()) else {
            continue;
        };
        let Some(disk) = disk(&info.root) else { continue };
        let to_free = bytes_to_free(&disk, &shared.config.image_gc);
        if to_free == 0 && shared.cluster().is_empty() {
            continue;
        }
        if let Err(error) = collect_once(&shared, &mut uses, &in_use, to_free).await {
            tracing::warn!(%error, "cannot make room on the engine's disk");
        }
    }
}

async fn collect_once(
    shared: &Shared,
    uses: &mut Uses,
    in_use: &watch::Receiver<BTreeSet<String>>,
    to_free: u64,
) -> Result<(), RuntimeError> {
    let images = shared.runtime.images().await?;
    let mut used = in_use.borrow().clone();
    used.insert(HOLDER_IMAGE.to_owned());
    let now = clock::now();
    uses.see(&images, &used, now);
    if to_free == 0 {
        return Ok(());
    }
    for id in choose(
        uses.candidates(&images, &used, &shared.config.image_gc, now),
        to_free,
    ) {
        match shared.runtime.remove_image(&id).await {
            Ok(()) => tracing::info!(id, "removed an image that nobody used"),
            // Some container that is not ours may use it.
            Err(error) => tracing::debug!(id, %error, "an image stays"),
        }
        shared.image_changes.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}
