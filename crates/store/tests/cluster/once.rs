//! What is sent again is carried out once.

use std::time::Duration;

use futures::future::join_all;
use skep_api::Kind;
use skep_state::{ANSWERS_MAX, Change, DeleteOptions};
use skep_store::{ProposeError, Store};
use skep_testkit::config_map;
use tokio::time::sleep;

use super::{entry, has, key, net::Net, servers::Servers, until};

/// Longer than a server waits before it sends a proposal again.
const SENT_AGAIN: Duration = Duration::from_secs(6);

async fn delete(store: &Store, name: &str) {
    let state = store.read().await.unwrap();
    let object = state.object(Kind::ConfigMap, &key(name)).unwrap();
    let deleted = store.propose(entry("", [Change::delete(object, DeleteOptions::default())]));
    deleted.await.unwrap()[0].as_ref().unwrap();
}

/// More requests than a store remembers with their answers.
async fn much_else(store: &Store) {
    let written = (0..=ANSWERS_MAX).map(|number| store.propose(entry(&format!("else-{number}"), [])));
    for outcomes in join_all(written).await {
        outcomes.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_through_a_server_that_lags_behind_is_carried_out_once_whatever_is_written_meanwhile() {
    let servers = Servers::start(3, Net::new(11)).await;
    let leader = servers.store(servers.leader().await);
    let lagging = servers.follower().await;
    servers.net.hold_back(lagging);
    let store = servers.store(lagging);
    let written = tokio::spawn(async move {
        let create = Change::create(config_map("once"));
        store.propose(entry("", [create])).await
    });
    until("the leader has it", async || has(&leader.state(), "once")).await;
    delete(&leader, "once").await;
    much_else(&leader).await;
    // By now it has been sent again, as nothing of it was seen.
    sleep(SENT_AGAIN).await;
    assert!(!has(&leader.state(), "once"), "it was carried out twice");
    servers.net.heal();
    match written.await.unwrap() {
        Ok(outcomes) => assert!(outcomes[0].is_ok(), "{outcomes:?}"),
        // The machine may be so busy that ten seconds have gone by.
        Err(error) => assert_eq!(error, ProposeError::Uncertain),
    }
    servers.settle().await;
    assert!(!has(&servers.store(lagging).state(), "once"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_sent_again_through_another_server_is_carried_out_once() {
    let servers = Servers::start(3, Net::new(12)).await;
    let leader = servers.store(servers.leader().await);
    let lagging = servers.follower().await;
    servers.net.hold_back(lagging);
    let create = || entry("r", [Change::create(config_map("once"))]);
    let first = leader.propose(create()).await.unwrap();
    delete(&leader, "once").await;
    let store = servers.store(lagging);
    assert!(!has(&store.state(), "once"), "it knows nothing of either");
    let again = tokio::spawn(async move { store.propose(create()).await });
    servers.net.heal();
    assert_eq!(again.await.unwrap().unwrap(), first);
    assert!(!has(&leader.state(), "once"));
}
