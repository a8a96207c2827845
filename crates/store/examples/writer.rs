//! Writes to a store as fast as it can and prints the name of each object once its write is acknowledged.
//!
//! `writer FOLDER PREFIX`: the crash tests run this and kill it.

use std::{
    io::{self, Write},
    sync::Arc,
};

use skep_state::{Change, Entry};
use skep_store::{Store, StoreConfig};
use skep_testkit::{config_map, namespace, start};

const WRITERS: usize = 16;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (dir, prefix) = (
        args.next().ok_or("which folder?")?,
        args.next().ok_or("which prefix?")?,
    );
    // Small thresholds, so that snapshots and the end of old log fall into the time of the kill.
    let config = StoreConfig {
        snapshot_entries: 100,
        ..StoreConfig::new(dir)
    };
    let store = Arc::new(Store::open(config).await?);
    let create = |object: skep_api::Object| Entry {
        request_id: String::new(),
        sent: None,
        now: start(),
        changes: vec![Change::create(object)],
    };
    store.propose(create(namespace("default").object())).await?;
    let writers = (0..WRITERS).map(|writer| {
        let (store, prefix) = (store.clone(), prefix.clone());
        tokio::spawn(async move {
            for number in 0.. {
                let name = format!("{prefix}-{writer}-{number}");
                let object = config_map(&name).data("text", &"x".repeat(2000)).object();
                if store
                    .propose(create(object))
                    .await
                    .is_ok_and(|outcomes| outcomes[0].is_ok())
                {
                    writeln!(io::stdout().lock(), "{name}").expect("somebody reads");
                }
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await?;
    }
    Ok(())
}
