//! Makes misfortune happen, and mends it.

use std::{collections::BTreeMap, time::Duration};

use skep_store::{MembershipError, Store};
use tokio::time::{Instant, sleep, timeout};

use super::{Shared, servers::member};
use crate::{luck, net::Weather, trace::note};

/// A change of members may wait for a majority that is not there.
const CHANGE_LIMIT: Duration = Duration::from_secs(2);

pub(super) struct Chaos {
    servers: Shared,
    /// How many may be down, so that clients get something done.
    down_max: usize,
    down: Vec<u64>,
    /// A server that comes and goes for good gets a new number each time.
    extra: Option<u64>,
    next_id: u64,
    /// Numbers that were handed out, and whose servers have not entered yet.
    late: Vec<u64>,
    did: BTreeMap<&'static str, u32>,
}

impl Chaos {
    /// Misfortune for so many servers.
    pub(super) fn new(servers: Shared, count: u64) -> Self {
        Self {
            servers,
            down_max: usize::try_from(count / 2).unwrap_or(1),
            down: Vec::new(),
            extra: None,
            next_id: count + 1,
            late: Vec::new(),
            did: BTreeMap::new(),
        }
    }

    /// One misfortune after the other.
    pub(super) async fn rage(&mut self, duration: Duration) {
        let end = Instant::now() + duration;
        while Instant::now() < end {
            let what = match luck::range(0..100) {
                0..15 => self.crash().await,
                15..20 => self.stop().await,
                20..40 => self.restart().await,
                40..55 => self.cut().await,
                55..70 => self.heal().await,
                70..85 => self.change_weather().await,
                85..92 => self.transfer().await,
                _ => self.change_members().await,
            };
            note!("chaos: {what}");
            *self.did.entry(what).or_default() += 1;
            sleep(Duration::from_millis(luck::range(20..400))).await;
        }
    }

    /// Mends everything: all that are members are up, and reach each other.
    pub(super) async fn calm(&mut self) {
        let servers = self.servers.read().await;
        servers.net.heal();
        servers.net.set_weather(Weather {
            delay: 100..300,
            ..Weather::default()
        });
        drop(servers);
        while self.restart().await == "restart" {}
    }

    /// What was done.
    pub(super) fn told(&self) -> String {
        format!("{:?}", self.did)
    }

    async fn crash(&mut self) -> &'static str {
        if self.down.len() >= self.down_max {
            return "nothing";
        }
        let mut servers = self.servers.write().await;
        let victim = luck::choose(&servers.up());
        if let Some(victim) = victim {
            servers.crash(victim);
            self.down.push(victim);
        }
        "crash"
    }

    async fn stop(&mut self) -> &'static str {
        if self.down.len() >= self.down_max {
            return "nothing";
        }
        let mut servers = self.servers.write().await;
        let victim = luck::choose(&servers.up());
        if let Some(victim) = victim {
            servers.stop(victim).await;
            self.down.push(victim);
        }
        "stop"
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
        let Some(one) = luck::choose(&up) else {
            return "nothing";
        };
        let others: Vec<u64> = up.into_iter().filter(|id| *id != one).collect();
        // Cut off from all the others, or from one of them alone.
        match luck::choose(&others) {
            Some(other) if luck::permille(500) => servers.net.cut(&[one], &[other]),
            _ => servers.net.cut(&[one], &others),
        }
        "cut"
    }

    async fn heal(&mut self) -> &'static str {
        self.servers.read().await.net.heal();
        "heal"
    }

    async fn change_weather(&mut self) -> &'static str {
        let slow = luck::choose(&[300, 300, 3000, 15_000, 60_000]).unwrap_or(300);
        let weather = Weather {
            lost: luck::choose(&[0, 0, 20, 150]).unwrap_or(0),
            doubled: luck::choose(&[0, 50, 200]).unwrap_or(0),
            delay: 100..slow,
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
            if matches!(removed, Ok(Ok(()) | Err(MembershipError::Unknown { .. }))) {
                self.servers.write().await.crash(id);
                self.down.retain(|down| *down != id);
                self.extra = None;
            }
            return "leave";
        }
        let new = member(self.new_id());
        let mut servers = self.servers.write().await;
        servers.add(&new);
        servers.run(new.id).await;
        drop(servers);
        self.extra = Some(new.id);
        let join = async {
            match store.add_learner(new.clone()).await {
                Ok(()) => store.promote(new.id).await,
                Err(MembershipError::Taken { .. }) => panic!("no server has ever had the number {}", new.id),
                Err(error) => Err(error),
            }
        };
        timeout(CHANGE_LIMIT, join).await.ok().and_then(Result::ok);
        "join"
    }

    /// A number that was handed out to this server alone; others may have got theirs before it and enter later.
    fn new_id(&mut self) -> u64 {
        if luck::permille(400)
            && let Some(late) = self.late.pop()
        {
            return late;
        }
        if luck::permille(400) {
            self.late.push(self.next_id);
            self.next_id += 1;
        }
        self.next_id += 1;
        self.next_id - 1
    }

    async fn any(&mut self) -> Option<Store> {
        let stores = self.servers.read().await.stores();
        luck::choose(&stores)
    }
}
