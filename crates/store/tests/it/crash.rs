//! Killed at any moment, the store loses nothing that it acknowledged.

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use skep_store::StoreConfig;

use super::{folder, has, open};

/// The example `writer`, which is built along with these tests.
fn writer(dir: &Path, prefix: &str) -> Child {
    let mut path: PathBuf = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.push("examples/writer");
    Command::new(&path)
        .args([dir.as_os_str(), prefix.as_ref()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| {
            panic!(
                "{}: {error}; build it with `cargo build --examples`",
                path.display()
            )
        })
}

/// Kills the writer after it has told of `count` writes; all the writes that it told of.
fn kill_after(mut child: Child, count: usize) -> Vec<String> {
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut acknowledged: Vec<String> = lines.by_ref().take(count).map(Result::unwrap).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    acknowledged.extend(lines.map_while(Result::ok));
    acknowledged
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_writing_it_keeps_every_acknowledged_write() {
    let dir = folder();
    let mut acknowledged = BTreeSet::new();
    let mut revision = 0;
    // Some of these fall between snapshots, some into one: the writer takes one every hundred entries or so.
    for (round, count) in [1, 3, 700, 40, 260, 2, 1500, 90, 999, 17, 400, 130]
        .into_iter()
        .enumerate()
    {
        let child = writer(dir.path(), &format!("r{round}"));
        let told = tokio::task::spawn_blocking(move || kill_after(child, count))
            .await
            .unwrap();
        assert!(
            told.len() >= count,
            "the writer stopped by itself after {} writes",
            told.len()
        );
        acknowledged.extend(told);

        let store = open(StoreConfig::new(dir.path())).await;
        let state = store.read().await.unwrap();
        let lost: Vec<_> = acknowledged.iter().filter(|name| !has(&state, name)).collect();
        assert!(
            lost.is_empty(),
            "round {round}: {} acknowledged writes are gone: {lost:?}",
            lost.len()
        );
        assert!(state.revision() >= revision + count as u64);
        revision = state.revision();
        store.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_it_opens_an_empty_folder_it_opens_the_next_time() {
    for moment in 0..12 {
        let dir = folder();
        let mut child = writer(dir.path(), "w");
        tokio::time::sleep(Duration::from_millis(moment * 3)).await;
        child.kill().unwrap();
        child.wait().unwrap();
        open(StoreConfig::new(dir.path())).await.shutdown().await;
    }
}
