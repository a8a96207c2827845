//! Snapshots, and the log that they make needless.

use std::{fs, path::Path, time::Duration};

use skep_store::StoreConfig;
use tokio::time::{Instant, sleep, timeout};

use super::{folder, has, open, write};

fn snapshots(dir: &Path) -> usize {
    fs::read_dir(dir.join("snapshots")).unwrap().count()
}

fn log_bytes(dir: &Path) -> u64 {
    let files = fs::read_dir(dir.join("log")).unwrap();
    files.map(|file| file.unwrap().metadata().unwrap().len()).sum()
}

async fn snapshots_reach(dir: &Path, wanted: usize) {
    let taken = async {
        while snapshots(dir) < wanted {
            sleep(Duration::from_millis(10)).await;
        }
    };
    let seconds = Duration::from_secs(60);
    timeout(seconds, taken).await.expect("the snapshots are taken");
}

#[tokio::test]
async fn a_snapshot_and_the_log_after_it_make_the_state_again() {
    let dir = folder();
    let store = open(StoreConfig::new(dir.path())).await;
    write(&store, "before", 10).await.unwrap();
    let info = store.snapshot().await.unwrap();
    assert_eq!(info.revision, 2);
    write(&store, "after", 10).await.unwrap();
    let state = store.state();
    store.shutdown().await;

    let store = open(StoreConfig::new(dir.path())).await;
    assert!(has(&store.state(), "before") && has(&store.state(), "after"));
    assert!(store.state() == state);
}

#[tokio::test]
async fn an_object_larger_than_a_frame_survives_a_snapshot() {
    let dir = folder();
    let store = open(StoreConfig::new(dir.path())).await;
    write(&store, "large", 2 * 1024 * 1024).await.unwrap();
    store.snapshot().await.unwrap();
    let state = store.state();
    store.shutdown().await;
    assert!(open(StoreConfig::new(dir.path())).await.state() == state);
}

#[tokio::test]
async fn log_and_snapshots_stay_bounded_however_much_is_written() {
    let dir = folder();
    let config = StoreConfig {
        snapshot_bytes: 1024 * 1024,
        ..StoreConfig::new(dir.path())
    };
    let store = open(config.clone()).await;
    let mut most = 0;
    for number in 0..400 {
        write(&store, &format!("m{}", number % 10), 100_000)
            .await
            .unwrap();
        most = most.max(log_bytes(dir.path()));
    }
    // 40 MB were offered; two snapshots' worth of log, and the open file, may remain.
    assert!(most < 12 * 1024 * 1024, "the log grew to {most} bytes");
    let state = store.state();
    store.shutdown().await;
    assert_eq!(
        snapshots(dir.path()),
        2,
        "the last two are kept, and nothing else"
    );
    assert!(open(config).await.state() == state);
}

#[tokio::test]
async fn a_burst_of_writes_gets_its_next_snapshot_once_it_is_over() {
    let dir = folder();
    let config = StoreConfig {
        snapshot_bytes: 1024 * 1024,
        ..StoreConfig::new(dir.path())
    };
    let store = open(config).await;
    let begun = Instant::now();
    for number in 0..30 {
        write(&store, &format!("m{}", number % 3), 100_000).await.unwrap();
    }
    snapshots_reach(dir.path(), 2).await;
    let rested = begun.elapsed();
    assert!(
        rested >= Duration::from_secs(10),
        "three times as much was written, and there were two after {rested:?}"
    );
    store.shutdown().await;
}

#[tokio::test]
async fn a_snapshot_of_what_is_already_covered_is_no_error() {
    let dir = folder();
    let store = open(StoreConfig::new(dir.path())).await;
    let first = store.snapshot().await.unwrap();
    assert_eq!(store.snapshot().await.unwrap(), first);
    write(&store, "a", 10).await.unwrap();
    assert_eq!(store.snapshot().await.unwrap().revision, 2);
}

#[tokio::test]
async fn a_store_that_starts_again_and_again_takes_its_snapshots_all_the_same() {
    let dir = folder();
    let config = StoreConfig {
        snapshot_bytes: 100_000,
        ..StoreConfig::new(dir.path())
    };
    let store = open(config.clone()).await;
    store.snapshot().await.unwrap();
    store.shutdown().await;
    for start in 0..12 {
        let store = open(config.clone()).await;
        write(&store, &format!("m{start}"), 10_000).await.unwrap();
        store.shutdown().await;
    }
    let _store = open(config).await;
    // What was logged before a start counts after it.
    snapshots_reach(dir.path(), 2).await;
}
