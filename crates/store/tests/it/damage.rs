//! Damaged files: repaired where nothing acknowledged is at stake, else named.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use skep_store::{OpenError, Store, StoreConfig};
use tempfile::TempDir;

use super::{folder, has, open, write};

/// A folder with two snapshots of `m0`..`m9` and `n0`..`n9`, and `o0`..`o9` in the log alone.
async fn used_folder() -> TempDir {
    let dir = folder();
    let store = open(StoreConfig::new(dir.path())).await;
    for prefix in ["m", "n", "o"] {
        for number in 0..10 {
            write(&store, &format!("{prefix}{number}"), 500).await.unwrap();
        }
        if prefix != "o" {
            store.snapshot().await.unwrap();
        }
    }
    store.shutdown().await;
    dir
}

async fn assert_complete(dir: &Path) {
    let store = Store::open(StoreConfig::new(dir)).await.unwrap();
    let state = store.read().await.unwrap();
    for prefix in ["m", "n", "o"] {
        assert!(
            (0..10).all(|number| has(&state, &format!("{prefix}{number}"))),
            "{prefix} is not complete"
        );
    }
    store.shutdown().await;
}

fn files(dir: PathBuf, extension: &str) -> Vec<PathBuf> {
    let paths = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|have| have == extension))
        .collect();
    paths.sort();
    paths
}

fn last_log_file(dir: &Path) -> PathBuf {
    files(dir.join("log"), "wal").pop().unwrap()
}

fn flip(path: &Path, at: u64) {
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 0x55], at).unwrap();
}

#[tokio::test]
async fn a_torn_end_of_the_log_is_cut_off() {
    let dir = used_folder().await;
    let path = last_log_file(dir.path());
    // What a crash in the middle of a write leaves: the beginning of a record.
    let whole = fs::read(&path).unwrap();
    let mut file = OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(&[0, 0, 0, 1]).unwrap();
    file.write_all(&whole[..20]).unwrap();
    assert_complete(dir.path()).await;
    assert_complete(dir.path()).await;
}

#[tokio::test]
async fn zeros_at_the_end_of_the_log_are_cut_off() {
    let dir = used_folder().await;
    OpenOptions::new()
        .append(true)
        .open(last_log_file(dir.path()))
        .unwrap()
        .write_all(&[0; 4096])
        .unwrap();
    assert_complete(dir.path()).await;
}

#[tokio::test]
async fn damage_anywhere_in_the_log_is_named_and_never_cut_off() {
    let dir = used_folder().await;
    let path = last_log_file(dir.path());
    let len = fs::metadata(&path).unwrap().len();
    for part in 1..20 {
        let at = len * part / 20;
        flip(&path, at);
        let error = Store::open(StoreConfig::new(dir.path()))
            .await
            .expect_err("a damaged log was opened");
        assert!(
            matches!(error, OpenError::Log { .. }),
            "byte {at} of {len}: {error}"
        );
        assert!(
            error.to_string().contains("restore the folder from a backup"),
            "{error}"
        );
        assert_eq!(
            fs::metadata(&path).unwrap().len(),
            len,
            "the log was cut off at a damaged byte"
        );
        flip(&path, at);
    }
    assert_complete(dir.path()).await;
}

#[tokio::test]
async fn a_damaged_snapshot_is_named_and_without_it_the_one_before_serves() {
    let dir = used_folder().await;
    let snapshots = files(dir.path().join("snapshots"), "snapshot");
    let newest = snapshots.last().unwrap();
    flip(newest, fs::metadata(newest).unwrap().len() / 2);

    let error = Store::open(StoreConfig::new(dir.path())).await.unwrap_err();
    let OpenError::Snapshot { path, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(path, newest);
    assert!(
        error
            .to_string()
            .contains("move it away to start from the snapshot before it"),
        "{error}"
    );

    fs::rename(newest, dir.path().join("set-aside")).unwrap();
    assert_complete(dir.path()).await;
}

#[tokio::test]
async fn a_snapshot_whose_end_is_missing_is_named() {
    let dir = used_folder().await;
    let newest = files(dir.path().join("snapshots"), "snapshot").pop().unwrap();
    let len = fs::metadata(&newest).unwrap().len();
    OpenOptions::new()
        .write(true)
        .open(&newest)
        .unwrap()
        .set_len(len - 3)
        .unwrap();
    let error = Store::open(StoreConfig::new(dir.path())).await.unwrap_err();
    assert!(error.to_string().contains("its end is missing"), "{error}");
}

#[tokio::test]
async fn an_unfinished_snapshot_is_of_no_account() {
    let dir = used_folder().await;
    let newest = files(dir.path().join("snapshots"), "snapshot").pop().unwrap();
    fs::write(
        newest.with_file_name("00000000000000009999-0000000001.tmp"),
        b"SKEPSNAP",
    )
    .unwrap();
    assert_complete(dir.path()).await;
}

#[tokio::test]
async fn missing_snapshots_are_noticed() {
    let dir = folder();
    let config = StoreConfig {
        snapshot_entries: 20,
        ..StoreConfig::new(dir.path())
    };
    let store = open(config.clone()).await;
    for number in 0..100 {
        write(&store, &format!("m{number}"), 500).await.unwrap();
    }
    store.snapshot().await.unwrap();
    write(&store, "m100", 500).await.unwrap();
    store.snapshot().await.unwrap();
    store.shutdown().await;
    for path in files(dir.path().join("snapshots"), "snapshot") {
        fs::remove_file(path).unwrap();
    }
    let error = Store::open(config).await.unwrap_err();
    assert!(
        matches!(
            error,
            OpenError::Gap {
                snapshot_end: None,
                ..
            }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn a_folder_without_its_identity_is_not_taken_for_an_empty_one() {
    let dir = used_folder().await;
    let identity = dir.path().join("identity.json");
    fs::rename(&identity, dir.path().join("set-aside")).unwrap();
    let error = Store::open(StoreConfig::new(dir.path())).await.unwrap_err();
    assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
    fs::rename(dir.path().join("set-aside"), &identity).unwrap();
    assert_complete(dir.path()).await;
}
