//! Fills three servers with objects, and reads them all.

use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt, stream};
use skep_api::{
    convert,
    proto::{CreateRequest, ListRequest, WriteOptions},
};
use skep_tests::{SimAgents, SimOptions};
use tokio::runtime::Runtime;
use tonic::{Code, Status};

use super::{
    objects::{NODES, object, pods_among},
    peer::PAGE,
    servers::{Cluster, Servers},
};
use crate::store::SERVERS;

/// Writes in flight.
const AT_ONCE: usize = 256;

const TRIES_MAX: usize = 20;
const TRY_AGAIN: Duration = Duration::from_millis(500);

const TELL_EVERY: Duration = Duration::from_secs(5);

const RUNNING_WITHIN: Duration = Duration::from_secs(300);

const KINDS: [&str; 6] = [
    "pods",
    "configmaps",
    "secrets",
    "replicasets",
    "nodes",
    "namespaces",
];

/// Makes so many objects, the pods among them running on nodes of simulated agents, which are to live on; seconds that it
/// took.
pub(crate) fn fill(runtime: &Runtime, servers: &Servers, count: usize) -> (SimAgents, f64) {
    let options = SimOptions {
        pods_max: 100_000,
        ..SimOptions::default()
    };
    let token = servers.plane.token("agent");
    let sims = SimAgents::start(&servers.plane.addresses, &token, NODES, options);
    let sims = runtime.block_on(sims).expect("every agent has a session");
    let start = Instant::now();
    let mut progress = Progress::new(count);
    let creates = (0..count).map(|number| create(servers.clients[number % SERVERS].clone(), number));
    let created = stream::iter(creates)
        .buffer_unordered(AT_ONCE)
        .inspect(|_| progress.step(|| format!("{} of their pods run", sims.stats().pods_running)))
        .try_collect::<()>();
    runtime.block_on(created).expect("the objects are taken");
    let pods = pods_among(count);
    let running = runtime.block_on(sims.wait_until(RUNNING_WITHIN, |stats| stats.pods_running == pods));
    assert!(running, "{pods} pods should run: {:?}", sims.stats());
    (sims, start.elapsed().as_secs_f64())
}

/// Says how far something is, every few seconds.
struct Progress {
    start: Instant,
    told: Instant,
    done: usize,
    all: usize,
}

impl Progress {
    fn new(all: usize) -> Self {
        let now = Instant::now();
        Self {
            start: now,
            told: now,
            done: 0,
            all,
        }
    }

    fn step(&mut self, besides: impl FnOnce() -> String) {
        self.done += 1;
        if self.told.elapsed() < TELL_EVERY && self.done < self.all {
            return;
        }
        self.told = Instant::now();
        let seconds = self.start.elapsed().as_secs_f64();
        eprintln!(
            "scale: {} of {} objects after {seconds:.0} s ({:.0} a second), {}",
            self.done,
            self.all,
            self.done as f64 / seconds,
            besides()
        );
    }
}

/// A server may be out of reach for a moment on a machine that is short of everything; the id makes a retry harmless.
async fn create(mut client: Cluster, number: usize) -> Result<(), Status> {
    let options = WriteOptions {
        request_id: format!("fill-{number}"),
        ..WriteOptions::default()
    };
    let request = CreateRequest {
        object: convert::struct_from_value(object(number)),
        options: Some(options),
    };
    let mut tries = 0;
    loop {
        match client.create(request.clone()).await {
            Err(status) if status.code() == Code::Unavailable && tries < TRIES_MAX => tries += 1,
            other => return other.map(drop),
        }
        tokio::time::sleep(TRY_AGAIN).await;
    }
}

/// Reads all objects, page by page; how many, and seconds.
pub(crate) fn list(runtime: &Runtime, servers: &Servers, server: usize) -> (usize, f64) {
    let start = Instant::now();
    let mut count = 0;
    for kind in KINDS {
        let mut next = String::new();
        loop {
            let request = ListRequest {
                kind: kind.to_owned(),
                limit: u32::try_from(PAGE).expect("a small number"),
                r#continue: next,
                ..ListRequest::default()
            };
            let mut client = servers.clients[server].clone();
            let page = runtime.block_on(async move { client.list(request).await });
            let page = page.expect("the server lists").into_inner();
            count += page.items.len();
            next = page.r#continue;
            if next.is_empty() {
                break;
            }
        }
    }
    (count, start.elapsed().as_secs_f64())
}
