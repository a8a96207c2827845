//! Any server takes any request.

use std::{fs, path::Path, sync::Arc};

use skep_state::Change;
use skep_store::{StoreConfig, Vault, VaultError};
use skep_testkit::config_map;
use skep_trust::Sealer;

use super::{
    entry, has,
    net::{Net, Weather},
    servers::Servers,
    until, write,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_takes_writes_and_answers_as_the_leader_would() {
    let servers = Servers::start(3, Net::new(1)).await;
    let follower = servers.store(servers.follower().await);
    let outcomes = write(&follower, "a", 100).await.unwrap();
    assert_eq!(outcomes[0].as_ref().unwrap().revision, 2);
    let again = follower
        .propose(entry("other", [Change::create(config_map("a"))]))
        .await
        .unwrap();
    assert!(again[0].is_err(), "it exists");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_arrives_twice_is_carried_out_once_even_without_an_id() {
    let servers = Servers::start(3, Net::new(7)).await;
    let follower = servers.store(servers.follower().await);
    servers.net.set_weather(Weather {
        doubled: 1000,
        ..Weather::default()
    });
    for number in 0..20 {
        let change = Change::create(config_map(&format!("w{number}")));
        let outcomes = follower.propose(entry("", [change])).await.unwrap();
        assert!(outcomes[0].is_ok(), "{outcomes:?}");
    }
    assert_eq!(follower.read().await.unwrap().revision(), 21);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_anywhere_sees_what_was_acknowledged_anywhere() {
    let servers = Servers::start(3, Net::new(2)).await;
    let stores = servers.stores();
    for (number, writer) in stores.iter().cycle().take(30).enumerate() {
        let name = format!("w{number}");
        write(writer, &name, 100).await.unwrap();
        for reader in &stores {
            assert!(has(&reader.read().await.unwrap(), &name), "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_server_tells_its_watchers_the_same() {
    let servers = Servers::start(3, Net::new(3)).await;
    servers.settle().await;
    let from = servers.store(1).state().revision();
    let mut watches: Vec<_> = servers
        .stores()
        .iter()
        .map(|store| store.watch(from).unwrap())
        .collect();
    for (number, store) in servers.stores().iter().cycle().take(30).enumerate() {
        write(store, &format!("w{number}"), 100).await.unwrap();
    }
    for watch in &mut watches {
        let mut revisions = Vec::new();
        while revisions.len() < 30 {
            revisions.extend(watch.next().await.unwrap().iter().map(|event| event.revision));
        }
        assert_eq!(revisions, (from + 1..=from + 30).collect::<Vec<_>>());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_alone_among_dead_ones_says_that_nobody_leads() {
    let mut servers = Servers::start(3, Net::new(4)).await;
    let follower = servers.follower().await;
    for id in servers.up() {
        if id != follower {
            servers.crash(id);
        }
    }
    let store = servers.store(follower);
    assert!(store.read().await.is_err());
    let error = write(&store, "a", 10).await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    assert!(
        error.to_string().contains("retry") || error.to_string().contains("again"),
        "{error}"
    );
    assert!(store.state().revision() > 0, "its own state can still be read");
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_were_all_down_come_back_with_everything() {
    let mut servers = Servers::start(3, Net::new(5)).await;
    for number in 0..50 {
        write(&servers.store(1), &format!("w{number}"), 100)
            .await
            .unwrap();
    }
    for id in servers.up() {
        servers.crash(id);
    }
    for id in 1..=3 {
        servers.run(id).await;
    }
    let state = servers.store(2).read().await.unwrap();
    assert!((0..50).all(|number| has(&state, &format!("w{number}"))));
    servers.settle().await;
}

/// The key of one server alone.
struct Own(Sealer);

impl Vault for Own {
    fn label(&self) -> String {
        self.0.key_id()
    }

    fn seal(&self, place: &[u8], plain: &[u8]) -> Vec<u8> {
        self.0.seal(place, plain)
    }

    fn open(&self, place: &[u8], sealed: &[u8]) -> Result<Vec<u8>, VaultError> {
        let opened = self.0.open(place, sealed);
        opened.map_err(|error| VaultError::NoKey(error.to_string()))
    }
}

/// True where a file below this folder holds these bytes.
fn tells(dir: &Path, word: &[u8]) -> bool {
    fs::read_dir(dir).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return tells(&path, word);
        }
        let bytes = fs::read(&path).unwrap_or_default();
        bytes.windows(word.len()).any(|window| window == word)
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_down_for_long_catches_up_by_a_snapshot() {
    catches_up(|config| config, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_seal_with_keys_of_their_own_understand_each_other() {
    let seal = |config: StoreConfig| {
        let key = u8::try_from(config.member.id).unwrap();
        config.vault(Arc::new(Own(Sealer::new(&[key; 32]))))
    };
    catches_up(seal, false).await;
}

/// A server was down, and gets a snapshot and what came after; whether its disk tells of it.
async fn catches_up(seal: impl Fn(StoreConfig) -> StoreConfig + Send + Sync + 'static, told: bool) {
    let mut servers = Servers::configured(3, Net::new(6), move |config| {
        seal(StoreConfig {
            snapshot_bytes: 512 * 1024,
            ..config
        })
    })
    .await;
    let follower = servers.follower().await;
    servers.crash(follower);
    let store = servers.store(servers.leader().await);
    // More than two snapshots' worth, and more than one piece of a snapshot.
    for number in 0..60 {
        write(&store, &format!("w{number}"), 50_000).await.unwrap();
    }
    let log = |id| {
        let files = std::fs::read_dir(servers.dir(id).join("log")).unwrap();
        files
            .map(|file| file.unwrap().metadata().unwrap().len())
            .sum::<u64>()
    };
    let leader = store.server_id();
    until("the leader has dropped the beginning of its log", async || {
        log(leader) < 3 * 1024 * 1024
    })
    .await;
    servers.run(follower).await;
    until("the server has caught up", async || {
        has(&servers.store(follower).state(), "w59")
    })
    .await;
    servers.settle().await;
    for id in [leader, follower] {
        assert_eq!(tells(servers.dir(id), b"ConfigMap"), told, "server {id}");
    }
}
