//! Writes while servers take snapshots, and while they do not.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use serde_json::json;
use skep_api::{
    convert,
    proto::{CreateRequest, UpdateRequest},
};
use tokio::{runtime::Runtime, task::JoinSet};

use super::servers::{Cluster, Servers};

/// Clients that write one after the other.
const WRITERS: usize = 16;

/// Bytes of a value: large enough for the log to grow quickly.
const VALUE_BYTES: usize = 4096;

/// How often the folders are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Snapshots that are waited for, of all servers together, and how long.
const SNAPSHOTS: usize = 6;
const WITHIN: Duration = Duration::from_secs(240);

/// The 99th percentiles of writes, in milliseconds.
pub(crate) struct Latencies {
    pub(crate) without: f64,
    pub(crate) during: f64,
    pub(crate) worst: f64,
    pub(crate) writes: usize,
    pub(crate) writes_during: usize,
    pub(crate) snapshot_seconds: f64,
}

/// Spans of time.
type Spans = Vec<(Instant, Instant)>;

/// Writes through the leader until enough snapshots were taken.
pub(crate) fn measure(runtime: &Runtime, servers: &Servers) -> Latencies {
    let leader = servers.leader(runtime);
    let _inside = runtime.enter();
    let client = servers.client(leader);
    let stop = Arc::new(AtomicBool::new(false));
    let folders = servers
        .plane
        .servers
        .iter()
        .map(|server| server.data_dir().join("server/snapshots"));
    let watching = runtime.spawn(watch(folders.collect(), stop.clone()));
    let writes = runtime.block_on(write(client, stop));
    let spans = runtime.block_on(watching).expect("the folders are watched");
    latencies(&writes, &spans)
}

/// When a snapshot was being written somewhere; tells to stop when there were enough.
async fn watch(folders: Vec<PathBuf>, stop: Arc<AtomicBool>) -> Spans {
    let start = Instant::now();
    let mut open: Vec<Option<Instant>> = vec![None; folders.len()];
    let mut spans = Spans::new();
    while spans.len() < SNAPSHOTS && start.elapsed() < WITHIN {
        for (folder, open) in folders.iter().zip(&mut open) {
            let now = Instant::now();
            match (is_writing(folder), *open) {
                (true, None) => *open = Some(now),
                (false, Some(begun)) => {
                    spans.push((begun, now));
                    *open = None;
                }
                _ => {}
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    stop.store(true, Relaxed);
    spans
}

fn is_writing(folder: &PathBuf) -> bool {
    std::fs::read_dir(folder).is_ok_and(|entries| {
        entries.flatten().any(|entry| {
            entry
                .path()
                .extension()
                .is_some_and(|extension| extension == "tmp")
        })
    })
}

async fn write(client: Cluster, stop: Arc<AtomicBool>) -> Spans {
    let mut tasks = JoinSet::new();
    for writer in 0..WRITERS {
        let (mut client, stop) = (client.clone(), stop.clone());
        tasks.spawn(async move {
            let mut spans = Spans::new();
            let object = convert::struct_from_value(value(writer, 0));
            let create = CreateRequest {
                object,
                options: None,
            };
            client.create(create).await.expect("the object is made");
            let mut version = 0;
            while !stop.load(Relaxed) {
                version += 1;
                let object = convert::struct_from_value(value(writer, version));
                let begun = Instant::now();
                let update = UpdateRequest {
                    object,
                    options: None,
                };
                // A server may be out of reach for a moment: a write counts with all of its tries.
                while let Err(status) = client.update(update.clone()).await {
                    assert!(begun.elapsed() < WITHIN, "the object is not written: {status}");
                    tokio::time::sleep(LOOK_EVERY).await;
                }
                spans.push((begun, Instant::now()));
            }
            spans
        });
    }
    let all = tasks.join_all().await;
    all.into_iter().flatten().collect()
}

fn value(writer: usize, version: usize) -> serde_json::Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": format!("written-{writer}"), "namespace": "default" },
        "data": { "value": format!("{version:0>width$}", width = VALUE_BYTES) },
    })
}

fn latencies(writes: &Spans, snapshots: &Spans) -> Latencies {
    let overlaps =
        |write: &(Instant, Instant)| snapshots.iter().any(|span| write.0 < span.1 && span.0 < write.1);
    let ms = |write: &(Instant, Instant)| (write.1 - write.0).as_secs_f64() * 1000.0;
    let (during, without): (Spans, Spans) = writes.iter().copied().partition(overlaps);
    let p99 = |writes: &Spans| {
        let mut all: Vec<f64> = writes.iter().map(ms).collect();
        all.sort_by(f64::total_cmp);
        all.get(all.len() * 99 / 100).copied().unwrap_or(0.0)
    };
    let seconds = snapshots.iter().map(|span| (span.1 - span.0).as_secs_f64());
    Latencies {
        without: p99(&without),
        during: p99(&during),
        worst: writes.iter().map(ms).fold(0.0, f64::max),
        writes: writes.len(),
        writes_during: during.len(),
        snapshot_seconds: seconds.fold(0.0, f64::max),
    }
}
