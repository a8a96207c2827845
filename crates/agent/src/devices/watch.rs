//! Looks which devices are there, now and then, and says so where that changes.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::{sync::watch, time::MissedTickBehavior};

use super::found;
use crate::{engine::EngineState, runtime::EngineInfo, shared::Shared};

const EVERY: Duration = Duration::from_secs(10);

/// GPUs come and go less often than files.
const GPUS_EVERY: u32 = 30;

/// The engine's name for what brings GPUs into containers.
const GPU_RUNTIME: &str = "nvidia";

/// Runs for ever.
pub(crate) async fn watch(shared: Arc<Shared>, mut engine: watch::Receiver<EngineState>) {
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut looks = 0u32;
    for path in shared.devices.missing() {
        say_missing(&shared, &path);
    }
    loop {
        let engine_changed = tokio::select! {
            _ = tick.tick() => false,
            changed = engine.changed() => match changed {
                Ok(()) => true,
                Err(_) => return,
            },
        };
        let is_due = looks.is_multiple_of(GPUS_EVERY);
        looks = looks.wrapping_add(1);
        let mut is_news = look_at_files(&shared);
        let info = engine.borrow().info.clone();
        if let Some(info) = info.filter(|_| is_due || engine_changed) {
            is_news |= find_gpus(&shared, &info).await;
        }
        if is_news {
            shared.node_changed.notify_one();
        }
    }
}

/// Looks for GPUs; true where there are others than before. Without what brings them into containers, there are none.
pub(crate) async fn find_gpus(shared: &Shared, engine: &EngineInfo) -> bool {
    if !shared.devices.looks_for_gpus() {
        return false;
    }
    let gpus = found::find(&shared.config.system_root).await;
    let has_runtime = engine.runtimes.iter().any(|name| name == GPU_RUNTIME);
    if !has_runtime {
        if shared.useless_gpus.swap(gpus.len(), Ordering::Relaxed) != gpus.len() && !gpus.is_empty() {
            let message = format!(
                "the machine has {} GPUs, but its engine has no runtime `{GPU_RUNTIME}` to bring them into containers: \
                 install the NVIDIA container toolkit, run `nvidia-ctk runtime configure`, and restart the engine",
                gpus.len()
            );
            tracing::warn!("{message}");
            shared.node_event(true, "NoGpuRuntime", message);
        }
        return false;
    }
    let is_news = (!gpus.is_empty() || shared.devices.has_gpus()) && shared.devices.set_found(&gpus);
    if is_news {
        tracing::info!(gpus = gpus.len(), "the machine's GPUs");
    }
    is_news
}

fn look_at_files(shared: &Shared) -> bool {
    let news = shared.devices.look();
    for (path, missing) in &news {
        if *missing {
            say_missing(shared, path);
        } else {
            let message = format!("the device {path} is there");
            shared.node_event(false, "DeviceFound", message);
        }
    }
    !news.is_empty()
}

fn say_missing(shared: &Shared, path: &str) {
    let message =
        format!("the device {path} is not there, or is no device: no container gets it until it is");
    tracing::warn!("{message}");
    shared.node_event(true, "DeviceMissing", message);
}
