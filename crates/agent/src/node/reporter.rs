//! Tells how the machine is doing: measured every few seconds, told when something has changed, and every five minutes.

use std::{sync::Arc, sync::atomic::Ordering, time::Duration};

use skep_api::Struct;
use skep_api::{Node, NodeCondition, convert};
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior},
};

use super::{
    MachineFacts,
    conditions::ENGINE_PATIENCE,
    object::{NodeView, node},
};
use crate::{clock, engine::EngineState, runtime::ImageInfo, shared::Shared};

const MEASURED_EVERY: Duration = Duration::from_secs(10);
const TOLD_EVERY: Duration = Duration::from_secs(300);
const IMAGES_EVERY: Duration = Duration::from_secs(300);

struct Reporter {
    shared: Arc<Shared>,
    facts: MachineFacts,
    engine: watch::Receiver<EngineState>,
    hello: watch::Sender<Struct>,
    images: Vec<ImageInfo>,
    /// When images were listed last, and how many changes there had been by then.
    listed: Option<(Instant, u64)>,
    told: Option<(Instant, Node)>,
}

/// Runs for ever. `hello` has the Node to register with.
pub(crate) async fn report(
    shared: Arc<Shared>,
    facts: MachineFacts,
    mut engine: watch::Receiver<EngineState>,
    hello: watch::Sender<Struct>,
) {
    let mut tick = tokio::time::interval(MEASURED_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    engine.mark_unchanged();
    let mut reporter = Reporter {
        shared: Arc::clone(&shared),
        facts,
        engine: engine.clone(),
        hello,
        images: Vec::new(),
        listed: None,
        told: None,
    };
    loop {
        reporter.tell().await;
        let away = engine.borrow().away.is_some();
        tokio::select! {
            _ = tick.tick() => {}
            () = shared.node_changed.notified() => {}
            changed = engine.changed() => if changed.is_err() { return },
            // Once more when patience with the engine is over.
            () = tokio::time::sleep(ENGINE_PATIENCE), if away => {}
        }
    }
}

impl Reporter {
    async fn tell(&mut self) {
        let engine = self.engine.borrow().clone();
        if engine.away.is_none() && engine.info.is_some() {
            self.list_images().await;
        }
        let pressures = self.shared.pressures();
        let bridge = self.shared.bridge();
        let before: &[NodeCondition] = self
            .told
            .as_ref()
            .map_or(&[], |(_, node)| &node.status.conditions);
        let view = NodeView {
            config: &self.shared.config,
            devices: &self.shared.devices,
            facts: &self.facts,
            engine: &engine,
            bridge: &bridge,
            pressures: &pressures,
            images: &self.images,
            before,
        };
        let node = node(&view, clock::now());
        let is_due = self
            .told
            .as_ref()
            .is_none_or(|(at, told)| at.elapsed() >= TOLD_EVERY || differs(told, &node));
        if is_due {
            let document = convert::to_struct(&node.clone().into());
            self.hello.send_replace(document.clone());
            self.shared.outbox.node(document);
            self.told = Some((Instant::now(), node));
        }
    }

    /// Lists are dear: only after a change, and every five minutes.
    async fn list_images(&mut self) {
        let changes = self.shared.image_changes.load(Ordering::Relaxed);
        let is_fresh = self
            .listed
            .is_some_and(|(at, known)| known == changes && at.elapsed() < IMAGES_EVERY);
        if is_fresh {
            return;
        }
        if let Ok(images) = self.shared.runtime.images().await {
            self.images = images;
            self.listed = Some((Instant::now(), changes));
        }
    }
}

/// Whether two Nodes differ in more than the time at which they were told.
fn differs(old: &Node, new: &Node) -> bool {
    let undated = |node: &Node| {
        let mut node = node.clone();
        for condition in &mut node.status.conditions {
            condition.last_heartbeat_time = None;
        }
        node
    };
    undated(old) != undated(new)
}
