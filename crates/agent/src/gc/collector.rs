//! Looks at the engine's disk now and then, and removes what the policy says.

use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot, watch},
    time::MissedTickBehavior,
};

use super::policy::{Uses, bytes_to_free, choose};
use crate::{
    clock,
    engine::EngineState,
    node::disk,
    runtime::{HOLDER_IMAGE, RuntimeError},
    shared::Shared,
};

const EVERY: Duration = Duration::from_secs(300);

/// Asks for every image that nobody uses to go; what it hears is how many bytes that has won.
pub(crate) type Reclaim = oneshot::Sender<u64>;

/// Has every image that nobody uses removed; bytes won.
pub(crate) async fn reclaim(collector: &mpsc::Sender<Reclaim>) -> u64 {
    let (done, won) = oneshot::channel();
    if collector.send(done).await.is_err() {
        return 0;
    }
    won.await.unwrap_or(0)
}

/// Runs for ever, from when it is known what is to run here. `in_use` has the images of assigned pods.
pub(crate) async fn collect(
    shared: Arc<Shared>,
    engine: watch::Receiver<EngineState>,
    in_use: watch::Receiver<BTreeSet<String>>,
    mut reclaims: mpsc::Receiver<Reclaim>,
) {
    shared.devices.settled().await;
    let mut collector = Collector {
        shared,
        uses: Uses::default(),
        in_use,
    };
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let asked = tokio::select! {
            _ = tick.tick() => None,
            Some(asked) = reclaims.recv() => Some(asked),
        };
        let EngineState { info, away } = engine.borrow().clone();
        let disk = info.filter(|_| away.is_none()).and_then(|info| disk(&info.root));
        let to_free = match (&asked, disk) {
            (Some(_), _) => u64::MAX,
            (None, Some(disk)) => bytes_to_free(&disk, &collector.shared.config.image_gc),
            (None, None) => continue,
        };
        let won = collector.collect(to_free).await;
        let won = won.inspect_err(|error| tracing::warn!(%error, "cannot make room on the engine's disk"));
        if let Some(asked) = asked {
            // Nobody may be waiting any more.
            let _ = asked.send(won.unwrap_or(0));
        }
    }
}

struct Collector {
    shared: Arc<Shared>,
    uses: Uses,
    in_use: watch::Receiver<BTreeSet<String>>,
}

impl Collector {
    /// Removes images until so many bytes are won, or none is left that may go; bytes won.
    async fn collect(&mut self, to_free: u64) -> Result<u64, RuntimeError> {
        let shared = &self.shared;
        let images = shared.runtime.images().await?;
        let mut used = self.in_use.borrow().clone();
        used.insert(HOLDER_IMAGE.to_owned());
        let now = clock::now();
        self.uses.see(&images, &used, now);
        let candidates = self.uses.candidates(&images, &used, &shared.config.image_gc, now);
        let mut won = 0;
        for id in choose(candidates, to_free) {
            match shared.runtime.remove_image(&id).await {
                Ok(()) => {
                    let size = images.iter().find(|image| image.id == id);
                    won += size.map_or(0, |image| image.size_bytes);
                    tracing::info!(id, "removed an image that nobody used");
                }
                // Some container that is not ours may use it.
                Err(error) => tracing::debug!(id, %error, "an image stays"),
            }
            shared.image_changes.fetch_add(1, Ordering::Relaxed);
        }
        Ok(won)
    }
}
