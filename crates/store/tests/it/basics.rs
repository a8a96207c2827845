//! Proposing, reading, watching, stopping.

use skep_state::{Change, Refusal};
use skep_store::{Member, OpenError, ProposeError, Store, StoreConfig, inspect};
use skep_testkit::{config_map, namespace};

use super::{accepted, entry, folder, has, key, open, write};

#[tokio::test]
async fn an_empty_folder_becomes_a_cluster_that_this_server_leads() {
    let dir = folder();
    let store = Store::open(StoreConfig::new(dir.path())).await.unwrap();
    assert_eq!(store.leader().map(|leader| leader.id), Some(1));
    assert!(*store.leadership().borrow());
    assert_eq!(store.server_id(), 1);
    assert!(!store.cluster_id().is_empty());
    assert_eq!(store.read().await.unwrap().revision(), 0);
}

#[tokio::test]
async fn what_was_proposed_is_there_after_a_restart_with_the_same_revision_and_cluster_id() {
    let dir = folder();
    let store = open(StoreConfig::new(dir.path())).await;
    accepted(
        &store,
        [Change::create(config_map("a")), Change::create(config_map("b"))],
    )
    .await;
    let (before, cluster) = (store.read().await.unwrap(), store.cluster_id().to_owned());
    store.shutdown().await;

    let store = open(StoreConfig::new(dir.path())).await;
    assert!(has(&store.state(), "a") && has(&store.state(), "b"));
    assert!(store.state() == before, "the state differs after a restart");
    assert_eq!(store.cluster_id(), cluster);
}

#[tokio::test]
async fn a_request_is_not_carried_out_twice_even_across_a_restart() {
    let dir = folder();
    let store = open(StoreConfig::new(dir.path())).await;
    let mut request = entry([Change::create(config_map("a"))]);
    request.request_id = "r1".to_owned();
    let first = store.propose(request.clone()).await.unwrap();
    store.shutdown().await;

    let store = open(StoreConfig::new(dir.path())).await;
    assert_eq!(store.propose(request).await.unwrap(), first);
}

#[tokio::test]
async fn a_refused_change_does_not_stop_its_neighbours() {
    let dir = folder();
    let store = open(StoreConfig::new(dir.path())).await;
    let changes = [
        Change::create(config_map("a").namespace("nowhere")),
        Change::create(config_map("b")),
    ];
    let outcomes = store.propose(entry(changes)).await.unwrap();
    assert!(matches!(outcomes[0], Err(Refusal::Namespace { .. })));
    assert!(outcomes[1].is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn proposals_of_many_at_once_are_all_carried_out() {
    let dir = folder();
    let store = open(StoreConfig::new(dir.path())).await;
    let writers: Vec<_> = (0..200)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move { write(&store, &format!("m{number}"), 100).await.unwrap() })
        })
        .collect();
    for writer in writers {
        assert!(writer.await.unwrap()[0].is_ok());
    }
    assert_eq!(store.state().revision(), 201);
}

#[tokio::test]
async fn what_is_proposed_at_the_same_time_shares_an_entry_and_is_accepted_or_refused_on_its_own() {
    let dir = folder();
    let store = open(StoreConfig::new(dir.path())).await;
    let written = (0..200).map(|number| {
        let namespace = if number % 2 == 0 { "default" } else { "nowhere" };
        let object = config_map(&format!("m{number}")).namespace(namespace);
        store.propose(entry([Change::create(object)]))
    });
    for (number, outcomes) in futures::future::join_all(written).await.into_iter().enumerate() {
        assert_eq!(outcomes.unwrap()[0].is_ok(), number % 2 == 0, "m{number}");
    }
    let snapshot = store.snapshot().await.unwrap();
    let (_, entries) = inspect(&snapshot.path, None).unwrap().log_end.unwrap();
    assert!(entries < 50, "200 proposals took {entries} entries of the log");
}

#[tokio::test]
async fn a_watch_tells_what_happens_after_its_revision_once_and_in_order() {
    let dir = folder();
    let store = open(StoreConfig::new(dir.path())).await;
    let mut watch = store.watch(store.state().revision()).unwrap();
    for number in 0..5 {
        write(&store, &format!("m{number}"), 10).await.unwrap();
    }
    let mut revisions = Vec::new();
    while revisions.len() < 5 {
        revisions.extend(watch.next().await.unwrap().iter().map(|event| event.revision));
    }
    assert_eq!(revisions, [2, 3, 4, 5, 6]);

    let later = tokio::spawn(async move { watch.next().await });
    write(&store, "late", 10).await.unwrap();
    let events = later.await.unwrap().unwrap();
    assert_eq!(*events[0].key, key("late"));
    assert!(events[0].before.is_none() && events[0].after.is_some());
}

#[tokio::test]
async fn a_watch_from_before_the_history_is_told_to_list_again() {
    let dir = folder();
    let store = open(StoreConfig::new(dir.path())).await;
    write(&store, "a", 10).await.unwrap();
    store.snapshot().await.unwrap();
    store.shutdown().await;
    let store = open(StoreConfig::new(dir.path())).await;
    assert_eq!(store.watch(1).unwrap_err().oldest, 2);
    assert!(store.watch(2).is_ok());
}

#[tokio::test]
async fn an_entry_that_is_too_large_is_refused_before_it_is_written() {
    let dir = folder();
    let store = open(StoreConfig {
        entry_bytes_max: 10_000,
        ..StoreConfig::new(dir.path())
    })
    .await;
    let error = write(&store, "big", 20_000).await.unwrap_err();
    assert!(
        matches!(error, ProposeError::TooLarge { max: 10_000, .. }),
        "{error}"
    );
    assert!(!error.is_retryable());
    assert!(write(&store, "small", 1000).await.is_ok());
}

#[tokio::test]
async fn a_folder_is_open_once_at_a_time() {
    let dir = folder();
    let first = Store::open(StoreConfig::new(dir.path())).await.unwrap();
    let error = Store::open(StoreConfig::new(dir.path())).await.unwrap_err();
    assert!(matches!(error, OpenError::Locked { .. }), "{error}");
    first.shutdown().await;
    Store::open(StoreConfig::new(dir.path())).await.unwrap();
}

#[tokio::test]
async fn a_folder_belongs_to_one_server() {
    let dir = folder();
    Store::open(StoreConfig::new(dir.path()))
        .await
        .unwrap()
        .shutdown()
        .await;
    let error = Store::open(StoreConfig::new(dir.path()).member(Member::new(2, "", "")))
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("belongs to server 1, not to server 2"),
        "{error}"
    );
}

#[tokio::test]
async fn a_store_that_is_shut_down_says_so() {
    let dir = folder();
    let store = open(StoreConfig::new(dir.path())).await;
    let other = store.clone();
    store.shutdown().await;
    let error = other
        .propose(entry([Change::create(namespace("late"))]))
        .await
        .unwrap_err();
    assert_eq!(error, ProposeError::Stopped);
    assert!(other.read().await.is_err());
    assert!(other.snapshot().await.is_err());
}
