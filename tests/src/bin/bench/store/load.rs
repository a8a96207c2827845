//! Clients that each send one call after the other for some time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use tokio::{task::JoinSet, time::timeout};

use super::{
    client::Client,
    cluster::{Cluster, SERVERS},
};

/// Clients that share a connection.
const CLIENTS_A_CONNECTION: usize = 64;

/// No call takes longer.
const CALL_LIMIT: Duration = Duration::from_secs(20);

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

/// The server of each connection for so many clients.
fn servers(count: usize, spread: Spread) -> Vec<usize> {
    let connections = count.div_ceil(CLIENTS_A_CONNECTION);
    match spread {
        Spread::Leader(leader) => vec![leader; connections],
        // Spread over all means all, even where one connection would do.
        Spread::All if count >= SERVERS => (0..connections.max(SERVERS))
            .map(|number| number % SERVERS)
            .collect(),
        Spread::All => (0..connections).map(|number| number % SERVERS).collect(),
    }
}

/// Connections for so many clients, one for each of them; those that share one are neighbours.
pub(crate) fn clients(cluster: &Cluster, count: usize, spread: Spread) -> Vec<Client> {
    let connections = servers(count, spread)
        .into_iter()
        .map(|server| cluster.client(server));
    shared(count, &connections.collect::<Vec<_>>())
}

/// The same for writes and reads alone, which take little of this machine.
async fn lean_clients(cluster: &Cluster, count: usize, spread: Spread) -> Vec<Client> {
    let mut connections = Vec::new();
    for server in servers(count, spread) {
        connections.push(cluster.lean_client(server).await);
    }
    shared(count, &connections)
}

fn shared(count: usize, connections: &[Client]) -> Vec<Client> {
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
    let clients = lean_clients(cluster, count, spread).await;
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
    let all = async {
        while let Some(ended) = tasks.join_next().await {
            ended.expect("a client's calls succeed");
        }
    };
    timeout(time + CALL_LIMIT, all)
        .await
        .expect("each call is answered");
    done.load(Relaxed) as f64 / start.elapsed().as_secs_f64()
}
