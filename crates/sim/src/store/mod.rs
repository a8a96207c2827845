//! The store alone: servers crash and come back, the network is cut, slow and lossy, disks are slow, members change, the
//! lead is handed around, while clients read, write and watch.

mod chaos;
mod clients;
mod history;
mod invariants;
mod servers;

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use skep_state::Change;
use skep_store::Store;
use skep_testkit::config_map;
use tokio::sync::RwLock;

use crate::{hermetic, luck, world::entry};
use chaos::Chaos;
use clients::{Clients, REGISTERS};
use invariants::{linearizable, no_write_lost, one_leader_a_term, watch_order};
use servers::Servers;

/// How long misfortune lasts.
const STORM: Duration = Duration::from_secs(20);

/// The servers as clients and chaos share them.
type Shared = Arc<RwLock<Servers>>;

/// Runs one seed; what happened, in figures.
pub(crate) async fn run(root: &Path) -> String {
    let count = if luck::permille(250) { 5 } else { 3 };
    let servers = Servers::start(count, root).await;
    prepare(&servers.store(1)).await;
    let from = servers.store(1).state().revision();
    let servers: Shared = Arc::new(RwLock::new(servers));
    let stop = Arc::new(AtomicBool::new(false));

    let leaders = tokio::spawn(one_leader_a_term::observe(servers.clone(), stop.clone()));
    let watchers = watch_order::observe(&servers, from, &stop);
    let clients = Clients::start(&servers, &stop);
    let mut chaos = Chaos::new(servers.clone(), count);
    chaos.rage(STORM).await;
    chaos.calm().await;
    stop.store(true, Relaxed);

    let history = clients.finish().await;
    let mut servers = servers.write().await;
    servers.settle().await;
    let told = format!(
        "{count} servers, {:.1} s, {} messages; {}; {}",
        hermetic::elapsed().as_secs_f64(),
        servers.net.messages(),
        history.told(),
        chaos.told()
    );
    assert!(history.acknowledged() > 20, "too little happened: {told}");
    one_leader_a_term::check(leaders.await.unwrap(), &told);
    for store in servers.stores() {
        no_write_lost::check(&history, store.server_id(), &store.state(), &told);
    }
    linearizable::check(&history, &told);
    watch_order::check(watchers, &servers, from, &told).await;
    told
}

async fn prepare(store: &Store) {
    let registers =
        (0..REGISTERS).map(|number| Change::create(config_map(&format!("r{number}")).data("v", "0")));
    for outcome in store.propose(entry("", registers)).await.unwrap() {
        outcome.unwrap();
    }
}
