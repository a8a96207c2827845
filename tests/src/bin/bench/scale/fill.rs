//! Fills three servers with objects, and reads them all.

use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt, stream};
use skep_api::{
    convert,
    proto::{CreateRequest, ListRequest},
};
use skep_tests::{SimAgents, SimOptions};
use tokio::runtime::Runtime;
use tonic::Status;

use super::{
    objects::{NODES, object, pods_among},
    peer::PAGE,
    servers::Servers,
};
use crate::store::SERVERS;

/// Writes in flight.
const AT_ONCE: usize = 256;

const RUNNING_WITHIN: Duration = Duration::from_secs(300);

const KINDS: [&str; 6] = [
    "pods",
    "configmaps",
    "secrets",
    "replicasets",
    "nodes",
    "namespaces",
];

/// Makes so many objects, the pods among them running on nodes of simulated agents; seconds that it took.
pub(crate) fn fill(runtime: &Runtime, servers: &Servers, count: usize) -> f64 {
    let options = SimOptions {
        pods_max: 100_000,
        ..SimOptions::default()
    };
    let token = servers.plane.token("agent");
    let sims = SimAgents::start(&servers.plane.addresses, &token, NODES, options);
    let sims = runtime.block_on(sims).expect("every agent has a session");
    let start = Instant::now();
    let creates = (0..count).map(|number| {
        let mut client = servers.clients[number % SERVERS].clone();
        async move {
            let request = CreateRequest {
                object: convert::struct_from_value(object(number)),
                options: None,
            };
            client.create(request).await?;
            Ok::<(), Status>(())
        }
    });
    let created = stream::iter(creates)
        .buffer_unordered(AT_ONCE)
        .try_collect::<()>();
    runtime.block_on(created).expect("the objects are taken");
    let pods = pods_among(count);
    let running = runtime.block_on(sims.wait_until(RUNNING_WITHIN, |stats| stats.pods_running == pods));
    assert!(running, "{pods} pods should run: {:?}", sims.stats());
    let took = start.elapsed().as_secs_f64();
    runtime.block_on(sims.stop());
    took
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
