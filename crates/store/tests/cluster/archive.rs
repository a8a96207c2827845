//! The state leaves a cluster and comes back.

use std::{
    fs::File,
    io::Write,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use skep_api::Kind;
use skep_store::{BackupConfig, Member, OpenError, Store, StoreConfig, inspect, recover, restore};

use super::{
    has,
    net::Net,
    servers::{Servers, fast_folder, member},
    until, write,
};

async fn three_with(names: &[&str], net: Net) -> Servers {
    let servers = Servers::start(3, net).await;
    for name in names {
        write(&servers.store(1), name, 2000).await.unwrap();
    }
    servers
}

/// The folder of a server that is alone.
fn of(dir: &Path, member: Member) -> StoreConfig {
    StoreConfig::new(dir).member(member)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_exported_becomes_a_new_cluster_that_others_can_join() {
    let old = three_with(&["a", "b"], Net::new(1)).await;
    let folder = fast_folder();
    let path = folder.path().join("state.snapshot");
    let follower = old.store(old.follower().await);
    let bytes = follower.export(File::create(&path).unwrap()).await.unwrap();

    let told = inspect(&path, None).unwrap();
    assert_eq!((told.revision, told.bytes), (3, bytes));
    assert_eq!(told.objects[&Kind::ConfigMap], 2);
    assert_eq!(told.members.len(), 3);
    assert_eq!(told.cluster_id, follower.cluster_id());

    let mut new = Servers::none(Net::new(2));
    new.add(&member(5));
    restore(&path, None, &of(new.dir(5), member(5))).unwrap();
    new.run(5).await;
    assert_ne!(new.store(5).cluster_id(), follower.cluster_id());
    let state = new.store(5).read().await.unwrap();
    assert!(has(&state, "a") && has(&state, "b"));
    assert_eq!(state.revision(), 3, "revisions go on from where they were");
    new.join(member(6)).await;
    new.join(member(7)).await;
    write(&new.store(7), "c", 10).await.unwrap();
    assert!(has(&new.store(6).read().await.unwrap(), "c"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_is_told_from_a_good_one_and_a_used_folder_from_an_empty_one() {
    let servers = three_with(&["a"], Net::new(3)).await;
    let folder = fast_folder();
    let path = folder.path().join("state.snapshot");
    servers
        .store(1)
        .export(File::create(&path).unwrap())
        .await
        .unwrap();
    let error = restore(&path, None, &of(servers.dir(2), member(2))).unwrap_err();
    assert!(
        matches!(error, OpenError::Locked { .. } | OpenError::Foreign { .. }),
        "{error}"
    );

    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    assert!(matches!(inspect(&path, None), Err(OpenError::Copy { .. })));
    let error = restore(&path, None, &of(&folder.path().join("new"), member(1))).unwrap_err();
    assert!(matches!(error, OpenError::Copy { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_survivor_becomes_a_cluster_and_the_lost_servers_are_not_let_back_in() {
    let mut servers = three_with(&["a", "b", "c"], Net::new(4)).await;
    servers.settle().await;
    let survivor = servers.follower().await;
    for id in servers.up() {
        servers.crash(id);
    }
    let dir = servers.dir(survivor).to_owned();
    let me = member(survivor);
    until("the folder is free", async || {
        !matches!(recover(&of(&dir, me.clone())), Err(OpenError::Locked { .. }))
    })
    .await;
    assert!(
        recover(&of(&dir, Member::new(9, "", ""))).is_err(),
        "it is another's folder"
    );
    // A second time changes nothing: it may have been interrupted.
    recover(&of(&dir, me.clone())).unwrap();

    servers.run(survivor).await;
    let store = servers.store(survivor);
    let state = store.read().await.unwrap();
    assert!(["a", "b", "c"].iter().all(|name| has(&state, name)));
    assert_eq!(store.members().await.len(), 1);

    let lost: Vec<u64> = (1..=3).filter(|id| *id != survivor).collect();
    for id in &lost {
        servers.run(*id).await;
    }
    write(&store, "new life", 10).await.unwrap();
    let old = servers.store(servers.up().into_iter().find(|id| *id != survivor).unwrap());
    until("the old ones find each other", async || old.leader().is_some()).await;
    assert!(!has(&old.state(), "new life"));
    servers.join_at(survivor, member(4)).await;
    assert!(has(&servers.store(4).read().await.unwrap(), "new life"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_server_has_nothing_to_recover_from_an_empty_folder() {
    let folder = fast_folder();
    assert!(recover(&of(folder.path(), member(1))).is_err());
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        0,
        "and leaves it alone"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn backups_are_taken_by_themselves_and_the_oldest_go() {
    let folder = fast_folder();
    let store = Store::open(StoreConfig {
        backups: Some(BackupConfig {
            interval: Duration::from_millis(20),
            keep: 3,
        }),
        ..StoreConfig::new(folder.path())
    })
    .await
    .unwrap();
    let backups = || {
        let dir = std::fs::read_dir(folder.path().join("backups"));
        let mut paths: Vec<_> = dir
            .into_iter()
            .flatten()
            .map(|file| file.unwrap().path())
            .collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "snapshot"));
        paths
    };
    let revisions = || {
        let mut revisions: Vec<u64> = backups()
            .iter()
            .filter_map(|path| Some(inspect(path, None).ok()?.revision))
            .collect();
        revisions.sort_unstable();
        revisions
    };
    for number in 0..6 {
        let namespace = skep_testkit::namespace(&format!("n{number}"));
        let outcomes = store
            .propose(super::entry("", [skep_state::Change::create(namespace)]))
            .await
            .unwrap();
        let revision = outcomes[0].as_ref().unwrap().revision;
        until("there is a backup of it", async || {
            revisions().contains(&revision)
        })
        .await;
    }
    until("the oldest are gone", async || backups().len() == 3).await;
    assert_eq!(revisions().last(), Some(&6));
    store.shutdown().await;
}

/// A writer that fails as a full disk does.
#[derive(Clone, Default)]
struct Full(Arc<Mutex<usize>>);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut taken = self.0.lock().unwrap();
        *taken += bytes.len();
        if *taken > 1000 {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_finds_no_room_says_so() {
    let servers = three_with(&["a", "b"], Net::new(5)).await;
    let error = servers.store(1).export(Full::default()).await.unwrap_err();
    assert!(error.to_string().contains("could not be written"), "{error}");
}
