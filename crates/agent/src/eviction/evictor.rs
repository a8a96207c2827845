//! Looks what is left, says what is short, and has pods go one at a time until enough is left again.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, watch},
    time::{Instant, MissedTickBehavior},
};

use super::{
    Pressure, Signal,
    keeper::{Keeper, Short},
    levels, rank,
    usage::{self, OnDisk},
};
use crate::{clock, engine::EngineState, gc, pod::Evicted, runtime::RuntimeError, shared::Shared};

/// What the node is short of, in words.
pub(crate) type Pressures = BTreeMap<Pressure, String>;

/// A pod that is to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Eviction {
    pub(crate) uid: String,
    pub(crate) why: Evicted,
}

/// How long a pod that was told to go keeps others from being told.
const GONE_WITHIN: Duration = Duration::from_secs(30);

/// Looks what is left, and says what is short.
pub(crate) struct Evictor {
    shared: Arc<Shared>,
    engine: watch::Receiver<EngineState>,
    keeper: Keeper,
    /// What pods went for last.
    acted_on: Option<Signal>,
    /// The pod that was told to go last.
    going: Option<(String, Instant)>,
}

impl Evictor {
    pub(crate) fn new(shared: Arc<Shared>, engine: watch::Receiver<EngineState>) -> Self {
        Self {
            shared,
            engine,
            keeper: Keeper::default(),
            acted_on: None,
            going: None,
        }
    }

    /// Looks now; what a pod must go for, if anything.
    pub(crate) fn look(&mut self) -> Option<Short> {
        let engine = self.engine.borrow().clone();
        let root = engine.info.as_ref().map(|info| info.root.as_path());
        let config = &self.shared.config;
        let levels = levels::measure(&config.data_dir, root);
        let verdict = self.keeper.look(&config.eviction, &levels, clock::now());
        self.shared.set_pressures(verdict.pressures);
        verdict.act
    }

    /// Runs for ever. Nothing goes before it is known what is to run here.
    pub(crate) async fn run(mut self, reclaim: mpsc::Sender<gc::Reclaim>, evictions: mpsc::Sender<Eviction>) {
        let mut tick = tokio::time::interval(self.shared.config.eviction.every);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let short = self.look();
            if !self.shared.devices.is_settled() {
                continue;
            }
            let Some(short) = short else {
                self.acted_on = None;
                continue;
            };
            match self.act(short, &reclaim).await {
                Ok(Some(eviction)) => {
                    if evictions.send(eviction).await.is_err() {
                        return;
                    }
                }
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "cannot find out what pods use"),
            }
        }
    }

    /// Removes what nobody needs; where that is not enough, the pod that is to go.
    async fn act(
        &mut self,
        short: Short,
        reclaim: &mpsc::Sender<gc::Reclaim>,
    ) -> Result<Option<Eviction>, RuntimeError> {
        self.say(&short);
        let mut short = short;
        if short.signal.pressure() == Pressure::Disk && gc::reclaim(reclaim).await > 0 {
            match self.look() {
                Some(still) => short = still,
                None => return Ok(None),
            }
        }
        let running = usage::running(&self.shared).await?;
        if let Some((uid, since)) = &self.going {
            if running.contains_key(uid) && since.elapsed() < GONE_WITHIN {
                return Ok(None);
            }
            // What it used may not be back yet: the next look tells.
            self.going = None;
            return Ok(None);
        }
        let root = self.engine.borrow().info.as_ref().map(|info| info.root.clone());
        let on_disk = OnDisk::of(short.signal, &self.shared.config.data_dir, root.as_deref());
        let mut uses = Vec::new();
        for pod in self.shared.roster.all() {
            if let Some(containers) = running.get(&pod.metadata.uid)
                && !pod.metadata.is_deleting()
            {
                uses.push(usage::of_pod(&self.shared, &pod, containers, on_disk).await?);
            }
        }
        let Some(victim) = rank::victim(&uses, short.signal) else {
            return Ok(None);
        };
        let message = rank::message(victim, &short);
        tracing::warn!(pod = victim.key, message, "evicting a pod");
        self.going = Some((victim.uid.clone(), Instant::now()));
        Ok(Some(Eviction {
            uid: victim.uid.clone(),
            why: Evicted {
                message,
                grace: Some(short.grace),
            },
        }))
    }

    fn say(&mut self, short: &Short) {
        if self.acted_on.replace(short.signal) == Some(short.signal) {
            return;
        }
        let message = format!("Attempting to reclaim {}: {short}", short.signal.resource());
        self.shared.node_event(true, "EvictionThresholdMet", message);
    }
}
