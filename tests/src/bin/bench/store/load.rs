//! Clients that each send one call after the other for some time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use tokio::task::JoinSet;

use super::{
    client::Client,
    cluster::{Cluster, SERVERS},
};

/// Clients that share a connection.
const CLIENTS_A_CONNECTION: usize = 64;

/// Objects that are written over and over.
pub(crate) const OBJECTS: u32 = 4096;

/// Makes each value another one.
static VERSION: AtomicU32 = AtomicU32::new(1);

/// To which servers clients turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spread {
    Leader(usize),
    All,
}

/// What clients do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    Write,
    Read,
}

/// Connections for so many clients, one for each of them; those that share one are neighbours.
pub(crate) fn clients(cluster: &Cluster, count: usize, spread: Spread) -> Vec<Client> {
    let connection = |number: usize| match spread {
        Spread::Leader(leader) => cluster.client(leader),
        Spread::All => cluster.client(number % SERVERS),
    };
    let connections = count.div_ceil(CLIENTS_A_CONNECTION);
    // Spread over all means all, even where one connection would do.
    let connections = match spread {
        Spread::All if count >= SERVERS => connections.max(SERVERS),
        _ => connections,
    };
    let connections: Vec<Client> = (0..connections).map(connection).collect();
    (0..count)
        .map(|client| connections[client % connections.len()].clone())
        .collect()
}

/// Makes the objects.
pub(crate) async fn fill(cluster: &Cluster) {
    let clients = clients(cluster, 64, Spread::All);
    let mut tasks = JoinSet::new();
    for (first, client) in (0u32..).zip(clients) {
        tasks.spawn(async move {
            for key in (first..OBJECTS).step_by(64) {
                client.create(key).await.expect("an object is created");
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.expect("the objects are made");
    }
}

/// Calls a second.
pub(crate) async fn rate(cluster: &Cluster, work: Work, count: usize, spread: Spread, time: Duration) -> f64 {
    let clients = clients(cluster, count, spread);
    for client in &clients {
        client.get(0).await.expect("the server answers");
    }
    let done = Arc::new(AtomicU64::new(0));
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    let step = u32::try_from(count).expect("a few clients");
    for (first, client) in (0u32..).zip(clients) {
        let done = done.clone();
        tasks.spawn(async move {
            let mut key = first;
            while start.elapsed() < time {
                match work {
                    Work::Write => client.put(key, VERSION.fetch_add(1, Relaxed)).await,
                    Work::Read => client.get(key).await,
                }
                .expect("the server does as it is asked");
                done.fetch_add(1, Relaxed);
                key = (key + step) % OBJECTS;
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.expect("a client's calls succeed");
    }
    done.load(Relaxed) as f64 / start.elapsed().as_secs_f64()
}
