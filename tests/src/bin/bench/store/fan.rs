//! Many watchers of one object: how long after a write each of them hears of it.

use std::time::{Duration, Instant};

use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    cluster::Cluster,
    load::{Spread, clients},
};

const WATCHERS: usize = 1000;
const WRITES: u32 = 30;
const PAUSE: Duration = Duration::from_millis(50);
const LIMIT: Duration = Duration::from_secs(20);

/// Delays in milliseconds, sorted; from a write's sending to each watcher's receipt.
pub(crate) async fn delays(cluster: &Cluster) -> Vec<f64> {
    let key = 0;
    let (heard, mut hear) = mpsc::unbounded_channel();
    let mut watchers = JoinSet::new();
    let mut opening = JoinSet::new();
    for client in clients(cluster, WATCHERS, Spread::All) {
        opening.spawn(async move { client.watch(key).await.expect("a watch") });
    }
    while let Some(events) = opening.join_next().await {
        let (mut events, heard) = (events.expect("a watch"), heard.clone());
        watchers
            .spawn(async move { while events.next().await.is_ok() && heard.send(Instant::now()).is_ok() {} });
    }
    let writer = cluster.client(0);
    writer.get(key).await.expect("the server answers");
    let mut delays = Vec::new();
    for version in 0..WRITES {
        sleep(PAUSE).await;
        let sent = Instant::now();
        writer.put(key, u32::MAX - version).await.expect("a write");
        for _ in 0..WATCHERS {
            let at = timeout(LIMIT, hear.recv())
                .await
                .expect("every watcher hears of every write");
            let at = at.expect("the channel is open");
            delays.push(at.saturating_duration_since(sent).as_secs_f64() * 1000.0);
        }
    }
    delays.sort_by(f64::total_cmp);
    delays
}
