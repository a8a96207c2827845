//! Servers come and go for good.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use skep_store::{Member, MembershipError, Role, StoreConfig};

use super::{
    has,
    net::Net,
    servers::{Servers, fast_folder, member},
    until, write,
};

#[tokio::test(flavor = "multi_thread")]
async fn all_servers_know_all_servers() {
    let servers = Servers::start(3, Net::new(1)).await;
    for store in servers.stores() {
        until("it knows the others", async || store.peers().borrow().len() == 3).await;
        let members = store.members().await;
        assert_eq!(members.iter().filter(|status| status.leads).count(), 1);
        assert!(members.iter().all(|status| status.role == Role::Voter));
        assert_eq!(store.cluster_id(), servers.store(1).cluster_id());
    }
    let store = servers.store(servers.follower().await);
    until("the leader has heard from all", async || {
        let members = store.members().await;
        members.iter().all(|status| status.reached == Some(0))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_joins_while_writes_flow() {
    let mut servers = Servers::start(1, Net::new(2)).await;
    let (store, stop) = (servers.store(1), Arc::new(AtomicBool::new(false)));
    let writer = tokio::spawn({
        let stop = stop.clone();
        async move {
            let mut count = 0;
            while !stop.load(Relaxed) {
                write(&store, &format!("w{count}"), 1000).await.unwrap();
                count += 1;
            }
            count
        }
    });
    servers.join(member(2)).await;
    servers.join(member(3)).await;
    stop.store(true, Relaxed);
    let count = writer.await.unwrap();
    let state = servers.store(3).read().await.unwrap();
    assert!((0..count).all(|number| has(&state, &format!("w{number}"))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_learner_follows_and_does_not_count() {
    let mut servers = Servers::start(1, Net::new(3)).await;
    servers.add(&member(2));
    servers.run(2).await;
    let first = servers.store(1);
    first.add_learner(member(2)).await.unwrap();
    servers.store(2).joined().await;
    write(&servers.store(2), "a", 10).await.unwrap();
    until("the learner follows", async || {
        has(&servers.store(2).state(), "a")
    })
    .await;
    servers.crash(2);
    write(&first, "b", 10).await.unwrap();
    let learner = first.members().await.pop().unwrap();
    assert_eq!((learner.member, learner.role), (member(2), Role::Learner));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_server_is_removed_and_its_number_never_used_again() {
    let mut servers = Servers::start(3, Net::new(4)).await;
    let dead = servers.follower().await;
    servers.crash(dead);
    let store = servers.store(servers.leader().await);
    store.remove(dead).await.unwrap();
    assert!(
        store
            .members()
            .await
            .iter()
            .all(|status| status.member.id != dead)
    );
    assert_eq!(
        store.remove(dead).await,
        Err(MembershipError::Unknown { id: dead })
    );
    assert!(matches!(
        store.add_learner(member(dead)).await,
        Err(MembershipError::Taken { .. })
    ));
    assert_eq!(store.unused_id(), 4);
    write(&store, "a", 10).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_were_given_their_numbers_together_enter_in_any_order() {
    let mut servers = Servers::start(1, Net::new(12)).await;
    servers.join(member(4)).await;
    servers.join(member(2)).await;
    servers.store(1).remove(2).await.unwrap();
    // A server that begins with a snapshot knows as much.
    for id in [1, 4] {
        servers.store(id).snapshot().await.unwrap();
        servers.stop(id).await;
        servers.run(id).await;
    }
    servers.leader().await;
    let store = servers.store(1);
    let taken = |result| matches!(result, Err(MembershipError::Taken { .. }));
    assert!(taken(store.add_learner(member(2)).await), "it was removed");
    store.add_learner(member(3)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_server_takes_its_old_place_under_a_new_number() {
    let mut servers = Servers::start(3, Net::new(5)).await;
    write(&servers.store(1), "a", 10).await.unwrap();
    let emptied = servers.follower().await;
    servers.crash(emptied);
    servers
        .join(Member {
            id: 4,
            ..member(emptied)
        })
        .await;
    let members = servers.store(4).members().await;
    assert_eq!(members.len(), 3);
    assert!(members.iter().all(|status| status.member.id != emptied));
    assert!(has(&servers.store(4).read().await.unwrap(), "a"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_is_removed_leaves_a_cluster_that_goes_on() {
    let mut servers = Servers::start(3, Net::new(6)).await;
    let leader = servers.leader().await;
    servers.store(leader).remove(leader).await.unwrap();
    let other = servers.up().into_iter().find(|id| *id != leader).unwrap();
    until("another server leads", async || {
        let store = servers.store(other);
        store.leader().is_some_and(|found| found.id != leader)
    })
    .await;
    servers.stop(leader).await;
    let store = servers.store(other);
    write(&store, "a", 10).await.unwrap();
    assert_eq!(store.members().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_only_voter_stays() {
    let servers = Servers::start(1, Net::new(7)).await;
    let error = servers.store(1).remove(1).await.unwrap_err();
    assert_eq!(error, MembershipError::LastVoter { id: 1 });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_has_moved_is_found_again() {
    let mut servers = Servers::start(3, Net::new(8)).await;
    let moved = servers.follower().await;
    servers.stop(moved).await;
    let elsewhere = Member::new(moved, format!("server-{moved}"), "elsewhere:7443");
    let config = StoreConfig::new(servers.dir(moved))
        .member(elsewhere.clone())
        .transport(servers.net.wire(moved));
    servers.run_with(config).await;
    let leader = servers.store(servers.leader().await);
    until("the leader knows the new address", async || {
        leader.peers().borrow().contains(&elsewhere)
    })
    .await;
    write(&leader, "a", 10).await.unwrap();
    until("it follows", async || has(&servers.store(moved).state(), "a")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_another_cluster_is_refused() {
    let net = Net::new(9);
    let servers = Servers::start(1, net.clone()).await;
    let dir = fast_folder();
    let stranger = StoreConfig::new(dir.path())
        .member(member(2))
        .transport(net.wire(2));
    let stranger = skep_store::Store::open(stranger).await.unwrap();
    net.listen("server-2:7443", &stranger, tokio::runtime::Handle::current());
    let first = servers.store(1);
    first.add_learner(member(2)).await.unwrap();
    write(&first, "a", 10).await.unwrap();
    let error = first.promote(2);
    let waited = tokio::time::timeout(std::time::Duration::from_secs(2), error).await;
    assert!(waited.is_err(), "it never catches up");
    assert!(!has(&stranger.state(), "a"));
    assert_ne!(stranger.cluster_id(), first.cluster_id());
    first.remove(2).await.unwrap();
    net.hang_up("server-2:7443");
    stranger.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_lost_its_folder_does_not_pass_for_the_one_it_was() {
    let mut servers = Servers::start(3, Net::new(10)).await;
    write(&servers.store(1), "a", 10).await.unwrap();
    servers.settle().await;
    let leader = servers.leader().await;
    let emptied = servers.follower().await;
    servers.crash(emptied);
    servers.add(&member(emptied));
    let config = StoreConfig::new(servers.dir(emptied))
        .member(member(emptied))
        .transport(servers.net.wire(emptied))
        .join();
    servers.run_with(config).await;
    let store = servers.store(leader);
    write(&store, "b", 10).await.unwrap();
    until("the leader does not count on it", async || {
        let members = store.members().await;
        members
            .iter()
            .any(|status| status.member.id == emptied && status.reached.is_none())
    })
    .await;
    assert_eq!(
        store.leader(),
        Some(member(leader)),
        "and is none the worse for it"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_has_joined_stays_with_its_cluster_whatever_it_is_told_later() {
    let mut servers = Servers::start(1, Net::new(11)).await;
    servers.add(&member(2));
    servers.run(2).await;
    let waiting = servers.store(2);
    assert!(!*waiting.leadership().borrow() && waiting.cluster_id().is_empty());
    drop(waiting);
    servers.store(1).add_learner(member(2)).await.unwrap();
    servers.store(2).joined().await;
    servers.crash(2);
    let config = StoreConfig::new(servers.dir(2))
        .member(member(2))
        .transport(servers.net.wire(2));
    servers.run_with(config).await;
    write(&servers.store(1), "a", 10).await.unwrap();
    until("it follows", async || has(&servers.store(2).state(), "a")).await;
    assert_eq!(servers.store(2).cluster_id(), servers.store(1).cluster_id());
}
