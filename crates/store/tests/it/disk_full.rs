//! A full disk refuses writes, or stops the store with a clear error; what was acknowledged stays.

use std::{fs, path::Path, time::Duration};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use skep_store::{ProposeError, SnapshotError, Store, StoreConfig};
use tempfile::TempDir;

use super::{folder, has, open, write};

const MIB: u64 = 1024 * 1024;

/// A file system of its own, of so many MiB. Needs root.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn new(mib: u64) -> Self {
        let dir = folder();
        let options = format!("size={mib}m");
        mount(
            Some("tmpfs"),
            dir.path(),
            Some("tmpfs"),
            MsFlags::empty(),
            Some(options.as_str()),
        )
        .expect("mounting a small tmpfs needs root");
        Self(dir)
    }

    fn data(&self) -> std::path::PathBuf {
        self.0.path().join("data")
    }

    /// Somebody else's file, which takes so many bytes, or all that are left.
    fn take(&self, bytes: u64) {
        let mut taken = fs::File::create(self.other()).unwrap();
        std::io::copy(&mut std::io::Read::take(std::io::repeat(1), bytes), &mut taken).ok();
    }

    fn give_back(&self) {
        fs::remove_file(self.other()).unwrap();
    }

    fn other(&self) -> std::path::PathBuf {
        self.0.path().join("other")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        umount2(self.0.path(), MntFlags::MNT_DETACH).expect("it was mounted");
    }
}

/// Writes until a write fails; the names of those that were acknowledged, and the failure.
async fn fill(store: &Store, prefix: &str) -> (Vec<String>, ProposeError) {
    let mut acknowledged = Vec::new();
    for number in 0.. {
        let name = format!("{prefix}{number}");
        match write(store, &name, 50_000).await {
            Ok(_) => acknowledged.push(name),
            Err(error) => return (acknowledged, error),
        }
    }
    unreachable!("a small disk is full one day")
}

async fn assert_all_there(dir: &Path, names: &[String]) {
    let store = open(StoreConfig {
        free_bytes_min: MIB,
        ..StoreConfig::new(dir)
    })
    .await;
    let state = store.read().await.unwrap();
    let lost: Vec<_> = names.iter().filter(|name| !has(&state, name)).collect();
    assert!(
        lost.is_empty(),
        "{} acknowledged writes are gone: {lost:?}",
        lost.len()
    );
    store.shutdown().await;
}

#[tokio::test]
async fn with_its_reserve_reached_it_refuses_writes_and_takes_them_again_once_there_is_space() {
    let disk = SmallDisk::new(24);
    disk.take(12 * MIB);
    let store = open(StoreConfig {
        free_bytes_min: 4 * MIB,
        ..StoreConfig::new(disk.data())
    })
    .await;
    let (mut acknowledged, error) = fill(&store, "a").await;
    assert!(
        matches!(error, ProposeError::NoSpace { needed, .. } if needed == 4 * MIB),
        "{error}"
    );
    assert!(error.is_retryable());
    assert!(error.to_string().contains("free some space and retry"), "{error}");
    assert!(!acknowledged.is_empty());
    assert!(store.read().await.is_ok(), "reads go on");

    disk.give_back();
    assert!(write(&store, "b", 50_000).await.unwrap()[0].is_ok());
    acknowledged.push("b".to_owned());
    store.shutdown().await;
    assert_all_there(&disk.data(), &acknowledged).await;
}

#[tokio::test]
async fn without_reserve_it_stops_with_a_clear_error_and_keeps_what_it_acknowledged() {
    let disk = SmallDisk::new(16);
    let store = open(StoreConfig {
        free_bytes_min: 0,
        ..StoreConfig::new(disk.data())
    })
    .await;
    assert!(write(&store, "early", 50_000).await.unwrap()[0].is_ok());
    disk.take(u64::MAX);
    let (mut acknowledged, error) = fill(&store, "a").await;
    acknowledged.push("early".to_owned());
    assert!(matches!(error, ProposeError::Storage(_)), "{error}");
    assert!(!error.is_retryable());
    assert!(
        error
            .to_string()
            .to_lowercase()
            .contains("no space left on device"),
        "{error}"
    );
    let why = tokio::time::timeout(Duration::from_secs(10), store.failed())
        .await
        .unwrap();
    assert!(why.to_lowercase().contains("no space left on device"), "{why}");
    assert!(!*store.leadership().borrow(), "it no longer leads");
    assert!(matches!(
        write(&store, "late", 10).await,
        Err(ProposeError::Storage(_) | ProposeError::Stopped)
    ));
    store.shutdown().await;

    disk.give_back();
    assert_all_there(&disk.data(), &acknowledged).await;
}

#[tokio::test]
async fn a_snapshot_that_has_no_room_leaves_the_store_running() {
    let disk = SmallDisk::new(24);
    let store = open(StoreConfig {
        free_bytes_min: 4 * MIB,
        ..StoreConfig::new(disk.data())
    })
    .await;
    let mut acknowledged = Vec::new();
    for number in 0..60 {
        let name = format!("a{number}");
        write(&store, &name, 50_000).await.unwrap();
        acknowledged.push(name);
    }
    disk.take(17 * MIB);
    let error = store.snapshot().await.unwrap_err();
    assert!(
        matches!(&error, SnapshotError::Write(why) if why.contains("free some space")),
        "{error}"
    );
    assert!(store.read().await.is_ok());

    disk.give_back();
    assert!(store.snapshot().await.is_ok());
    assert!(write(&store, "b", 50_000).await.unwrap()[0].is_ok());
    acknowledged.push("b".to_owned());
    store.shutdown().await;
    assert_all_there(&disk.data(), &acknowledged).await;
}
