//! Clusters under random misfortune: servers crash and come back, the network is cut, slow and lossy, members change, the
//! lead is handed around, while clients read, write and watch. What happens follows from a seed; `SKEP_SIM_SEEDS=N` runs
//! N of them, `SKEP_SIM_SEED=S` that one alone.

mod chaos;
mod clients;
mod history;
mod invariants;

use std::{
    env,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use skep_state::Change;
use skep_store::{Store, StoreConfig};
use skep_testkit::config_map;
use tokio::sync::RwLock;

use super::{entry, net::Net, servers::Servers};
use chaos::Chaos;
use clients::{Clients, REGISTERS};
use invariants::{linearizable, no_write_lost, one_leader_a_term, watch_order};

/// Seeds that every run of the tests tries.
const SEEDS: u64 = 4;

/// How long misfortune lasts.
const STORM: Duration = Duration::from_secs(6);

/// The servers as clients and chaos share them.
type Shared = Arc<RwLock<Servers>>;

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_the_invariants_hold() {
    let number = |name: &str| env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let seeds = match number("SKEP_SIM_SEED") {
        Some(seed) => vec![seed],
        None => (1..=number("SKEP_SIM_SEEDS").unwrap_or(SEEDS)).collect(),
    };
    for seed in seeds {
        eprintln!("seed {seed}");
        run(seed).await;
    }
}

async fn run(seed: u64) {
    let servers = Servers::configured(3, Net::new(seed), settings).await;
    prepare(&servers.store(1)).await;
    let from = servers.store(1).state().revision();
    let servers: Shared = Arc::new(RwLock::new(servers));
    let stop = Arc::new(AtomicBool::new(false));

    let leaders = tokio::spawn(one_leader_a_term::observe(servers.clone(), stop.clone()));
    let watchers = watch_order::observe(&servers, from, seed, &stop);
    let clients = Clients::start(&servers, seed, &stop);
    let mut chaos = Chaos::new(servers.clone(), seed);
    chaos.rage(STORM).await;
    chaos.calm().await;
    stop.store(true, Relaxed);

    let history = clients.finish().await;
    let servers = servers.read().await;
    servers.settle().await;
    let told = format!("seed {seed}: {}", history.told());
    eprintln!("{told}; {}", chaos.told());
    assert!(history.acknowledged() > 20, "too little happened: {told}");
    one_leader_a_term::check(leaders.await.unwrap(), &told);
    no_write_lost::check(&history, &servers.stores(), &told);
    linearizable::check(&history, &told);
    watch_order::check(watchers, &servers, from, &told).await;
}

/// Small enough limits for snapshots to matter within seconds.
fn settings(config: StoreConfig) -> StoreConfig {
    StoreConfig {
        snapshot_entries: 150,
        heartbeat: Duration::from_millis(60),
        ..config
    }
}

async fn prepare(store: &Store) {
    let registers =
        (0..REGISTERS).map(|number| Change::create(config_map(&format!("r{number}")).data("v", "0")));
    for outcome in store.propose(entry("", registers)).await.unwrap() {
        outcome.unwrap();
    }
}
