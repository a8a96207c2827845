//! Makes misfortune happen, and mends it.

use std::{collections::BTreeMap, time::Duration};

use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use skep_store::Store;
use tokio::time::{Instant, sleep, timeout};

use super::Shared;
use crate::{net::Weather, servers::member};

/// Of three voters one may be down, so that clients get something done.
const DOWN_MAX: usize = 1;

/// A change of members may wait for a majority that is not there.
const CHANGE_LIMIT: Duration = Duration::from_secs(2);

pub(super) struct Chaos {
    servers: Shared,
    luck: StdRng,
    down: Vec<u64>,
    /// A server that comes and goes for good gets a new number each time.
    extra: Option<u64>,
    next_id: u64,
    did: BTreeMap<&'static str, u32>,
}

impl Chaos {
    pub(super) fn new(servers: Shared, seed: u64) -> Self {
        Self {
            servers,
            luck: StdRng::seed_from_u64(seed),
            down: Vec::new(),
            extra: None,
            next_id: 4,
            did: BTreeMap::new(),
        }
    }

    /// One misfortune after the other.
    pub(super) async fn rage(&mut self, duration: Duration) {
        let end = Instant::now() + duration;
        while Instant::now() < end {
            let what = match self.luck.random_range(0..100) {
                0..20 => self.crash().await,
                20..40 => self.restart().await,
                40..55 => self.cut().await,
                55..70 => self.heal().await,
                70..85 => self.change_weather().await,
                85..92 => self.transfer().await,
                _ => self.change_members().await,
            };
            *self.did.entry(what).or_default() += 1;
            sleep(Duration::from_millis(self.luck.random_range(20..400))).await;
        }
    }

    /// Mends everything: all that are members are up, and reach each other.
    pub(super) async fn calm(&mut self) {
        let servers = self.servers.read().await;
        servers.net.heal();
        servers.net.set_weather(Weather::default());
        drop(servers);
        while self.restart().await == "restart" {}
        self.send_strangers_away().await;
    }

    /// Whether a change of members that was cut short took place shows now.
    async fn send_strangers_away(&mut self) {
        let mut servers = self.servers.write().await;
        let leader = servers.leader().await;
        let members = servers.store(leader).members().await;
        for id in servers.up() {
            if members.iter().all(|status| status.member.id != id) {
                servers.crash(id);
            }
        }
    }

    /// What was done.
    pub(super) fn told(&self) -> String {
        format!("{:?}", self.did)
    }

    async fn crash(&mut self) -> &'static str {
        if self.down.len() >= DOWN_MAX {
            return "nothing";
        }
        let mut servers = self.servers.write().await;
        let victim = servers.up().choose(&mut self.luck).copied();
        if let Some(victim) = victim {
            servers.crash(victim);
            self.down.push(victim);
        }
        "crash"
    }

    async fn restart(&mut self) -> &'static str {
        let Some(id) = self.down.pop() else {
            return "nothing";
        };
        self.servers.write().await.run(id).await;
        "restart"
    }

    async fn cut(&mut self) -> &'static str {
        let servers = self.servers.read().await;
        let up = servers.up();
        let Some(one) = up.choose(&mut self.luck).copied() else {
            return "nothing";
        };
        let others: Vec<u64> = up.into_iter().filter(|id| *id != one).collect();
        // Cut off from all the others, or from one of them alone.
        match others.choose(&mut self.luck) {
            Some(other) if self.luck.random_bool(0.5) => servers.net.cut(&[one], &[*other]),
            _ => servers.net.cut(&[one], &others),
        }
        "cut"
    }

    async fn heal(&mut self) -> &'static str {
        self.servers.read().await.net.heal();
        "heal"
    }

    async fn change_weather(&mut self) -> &'static str {
        let slow = *[0, 0, 3, 15, 60].choose(&mut self.luck).unwrap_or(&0);
        let weather = Weather {
            lost: *[0, 0, 20, 150].choose(&mut self.luck).unwrap_or(&0),
            doubled: *[0, 50, 200].choose(&mut self.luck).unwrap_or(&0),
            delay: 0..slow,
        };
        self.servers.read().await.net.set_weather(weather);
        "weather"
    }

    async fn transfer(&mut self) -> &'static str {
        if let Some(store) = self.any().await {
            timeout(CHANGE_LIMIT, store.transfer_leader(None)).await.ok();
        }
        "transfer"
    }

    /// A fourth server joins, or the one that joined goes.
    async fn change_members(&mut self) -> &'static str {
        let Some(store) = self.any().await else {
            return "nothing";
        };
        if let Some(id) = self.extra {
            let removed = timeout(CHANGE_LIMIT, store.remove(id)).await;
            if matches!(
                removed,
                Ok(Ok(()) | Err(skep_store::MembershipError::Unknown { .. }))
            ) {
                self.servers.write().await.crash(id);
                self.down.retain(|down| *down != id);
                self.extra = None;
            }
            return "leave";
        }
        let new = member(self.next_id);
        self.next_id += 1;
        let mut servers = self.servers.write().await;
        servers.add(&new);
        servers.run(new.id).await;
        drop(servers);
        self.extra = Some(new.id);
        let join =
            async { store.add_learner(new.clone()).await.is_ok() && store.promote(new.id).await.is_ok() };
        timeout(CHANGE_LIMIT, join).await.ok();
        "join"
    }

    async fn any(&mut self) -> Option<Store> {
        let stores = self.servers.read().await.stores();
        stores.choose(&mut self.luck).cloned()
    }
}
