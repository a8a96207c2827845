//! Clients that read and write at random, each at a server of its luck.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use skep_api::ConfigMap;
use skep_state::{Change, Verb};
use skep_store::{ProposeError, Store};
use skep_testkit::config_map;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use super::{
    Shared,
    history::{Call, Came, History, What},
    servers::Running,
};
use crate::{
    luck,
    mutant::Mutant,
    trace::note,
    world::{entry, key},
};

pub(super) const REGISTERS: usize = 3;
const CLIENTS: u64 = 6;

/// A client loses patience: what it asked for may happen yet.
const PATIENCE: Duration = Duration::from_secs(3);

/// How often what nobody knows about is asked for again.
const TRIES_MORE: usize = 2;

pub(super) struct Clients {
    tasks: JoinSet<Vec<Call>>,
}

struct Client {
    number: u64,
    servers: Shared,
    /// Values are handed out once among all clients.
    values: Arc<AtomicU64>,
    calls: Vec<Call>,
}

impl Clients {
    pub(super) fn start(servers: &Shared, stop: &Arc<AtomicBool>) -> Self {
        let values = Arc::new(AtomicU64::new(1));
        let mut tasks = JoinSet::new();
        for number in 0..CLIENTS {
            let client = Client {
                number,
                servers: servers.clone(),
                values: values.clone(),
                calls: Vec::new(),
            };
            tasks.spawn(client.run(stop.clone()));
        }
        Self { tasks }
    }

    /// Waits for what is on its way.
    pub(super) async fn finish(self) -> History {
        let calls = self.tasks.join_all().await.into_iter().flatten().collect();
        History { calls }
    }
}

impl Client {
    async fn run(mut self, stop: Arc<AtomicBool>) -> Vec<Call> {
        while !stop.load(Relaxed) {
            let running = self.servers.read().await.running();
            if let Some(server) = luck::choose(&running) {
                drop(running);
                let call = self.call(server).await;
                self.calls.extend(call);
            }
            sleep(Duration::from_millis(luck::range(1..25))).await;
        }
        self.calls
    }

    /// `None` for a read that failed: it proves nothing.
    async fn call(&mut self, Running { store, alive }: Running) -> Option<Call> {
        let register = luck::range(0..REGISTERS);
        let began = Instant::now();
        let (what, came) = match luck::range(0..10) {
            0..4 => self.get(&store, register).await?,
            4..7 => self.set(&store, register).await,
            _ => self.create(&store).await,
        };
        // Nobody hears what a server says that has crashed.
        let came = if alive.is() { came } else { Came::Unknown };
        note!(
            "client {} at {}: {what:?} {came:?}",
            self.number,
            store.server_id()
        );
        (came == Came::Done || !matches!(what, What::Get { .. })).then(|| Call {
            what,
            began,
            ended: Instant::now(),
            came,
        })
    }

    async fn get(&mut self, store: &Store, register: usize) -> Option<(What, Came)> {
        let state = if Mutant::StaleReads.is_here() {
            store.state()
        } else {
            timeout(PATIENCE, store.read()).await.ok()?.ok()?
        };
        let map: &ConfigMap = state.get(&key(&format!("r{register}")))?;
        let value = map.data.get("v")?.parse().ok()?;
        Some((What::Get { register, value }, Came::Done))
    }

    async fn set(&mut self, store: &Store, register: usize) -> (What, Came) {
        let value = self.values.fetch_add(1, Relaxed);
        let object = config_map(&format!("r{register}")).data("v", &value.to_string());
        let change = Change::new(Verb::Update(Box::new(object.object())));
        let came = self.insist(store, &format!("set-{value}"), change).await;
        (What::Set { register, value }, came)
    }

    async fn create(&mut self, store: &Store) -> (What, Came) {
        let name = format!("w{}-{}", self.number, self.calls.len());
        let change = Change::create(config_map(&name));
        // Half of the clients leave it to the store to try again safely.
        let request_id = if self.number.is_multiple_of(2) {
            name.clone()
        } else {
            String::new()
        };
        let came = self.insist(store, &request_id, change).await;
        (What::Create(name), came)
    }

    /// Proposes a change and, where nobody knows what came of it, asks again at whatever servers: a request that has an id is
    /// carried out once.
    async fn insist(&self, store: &Store, request_id: &str, change: Change) -> Came {
        let mut came = propose(store, request_id, change.clone()).await;
        for _ in 0..TRIES_MORE {
            if came != Came::Unknown || request_id.is_empty() {
                break;
            }
            let running = self.servers.read().await.running();
            let Some(Running { store, alive }) = luck::choose(&running) else {
                break;
            };
            drop(running);
            let again = propose(&store, request_id, change.clone()).await;
            // What is refused now may have happened before.
            if again == Came::Done && alive.is() {
                came = Came::Done;
            }
        }
        came
    }
}

async fn propose(store: &Store, request_id: &str, change: Change) -> Came {
    let proposed = entry(request_id, [change]);
    if Mutant::EarlyAnswers.is_here() {
        let store = store.clone();
        tokio::spawn(async move { timeout(PATIENCE, store.propose(proposed)).await });
        return Came::Done;
    }
    match timeout(PATIENCE, store.propose(proposed)).await {
        Ok(Ok(outcomes)) => {
            assert!(
                outcomes[0].is_ok(),
                "carried out twice, or out of order: {outcomes:?}"
            );
            Came::Done
        }
        Ok(Err(
            ProposeError::NotLeader { .. } | ProposeError::NoSpace { .. } | ProposeError::TooLarge { .. },
        )) => Came::Refused,
        Ok(Err(_)) | Err(_) => Came::Unknown,
    }
}
