//! Nodes of a cluster of several servers: how they join, stay known, and get by when a server is gone.

use std::{sync::Arc, time::Duration};

use skep_trust::{Certificate, Credentials, Identity, Validity};
use tempfile::TempDir;

use super::{
    FakeCluster, FakeRuntime, FakeServer,
    scene::{self, Agent, is_ready, node, pod, uid, until},
};
use crate::{AgentConfig, AgentError, ServerAddress, TlsFiles, clock};

struct Machine {
    dir: TempDir,
    runtime: Arc<FakeRuntime>,
}

impl Machine {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            runtime: Arc::new(FakeRuntime::new(&["web:v1"])),
        }
    }

    fn files(&self) -> TlsFiles {
        TlsFiles::in_data_dir(&self.dir.path().join("data"))
    }

    fn agent(&self, addresses: &[&str], join_token: Option<String>) -> Agent {
        let config = AgentConfig {
            server: ServerAddress::Tls {
                addresses: addresses.iter().map(|address| (*address).to_owned()).collect(),
                files: self.files(),
                join_token,
            },
            ..scene::config(&self.dir)
        };
        Agent::start_with(config, &self.runtime)
    }

    fn certificate(&self) -> Certificate {
        let credentials = Credentials::load(&self.files().dir).unwrap().unwrap();
        credentials.certificate().clone()
    }
}

fn n1() -> Option<Identity> {
    Some(Identity::Node {
        name: "n1".to_owned(),
    })
}

#[tokio::test]
async fn a_machine_joins_with_its_token_and_needs_neither_token_nor_address_afterwards() {
    let (cluster, machine) = (FakeCluster::new(), Machine::new());
    let server = FakeServer::listen_tls(&cluster).await;
    cluster.set_servers(&[&server.address]);
    let agent = machine.agent(&[&server.address], Some(cluster.token.to_string()));
    let told = server.until("a session stands", |told| told.sessions == 1).await;
    assert_eq!(told.identity, n1());
    agent.stop().await;

    let agent = machine.agent(&[], None);
    let told = server
        .until("another session stands", |told| told.sessions == 2)
        .await;
    assert_eq!(told.identity, n1());
    assert_eq!(cluster.calls(), ["join node n1"], "one certificate is enough");
    agent.stop().await;
}

#[tokio::test]
async fn a_token_that_is_refused_ends_the_agent_in_the_servers_words() {
    let (cluster, other, machine) = (FakeCluster::new(), FakeCluster::new(), Machine::new());
    let server = FakeServer::listen_tls(&cluster).await;
    let revoked = skep_trust::Token::generate(cluster.token.ca());
    let error = machine
        .agent(&[&server.address], Some(revoked.to_string()))
        .error()
        .await;
    let AgentError::Join(why) = error else {
        panic!("{error}")
    };
    assert_eq!(why.to_string(), "the join token was revoked");

    let error = machine.agent(&[&server.address], None).error().await;
    assert!(error.to_string().contains("give a join token"), "{error}");

    let agent = machine.agent(&[&server.address], Some(other.token.to_string()));
    assert!(
        !machine.files().has_joined(),
        "a server of another cluster learns nothing of the token"
    );
    agent.stop().await;
    assert!(cluster.calls().is_empty());
}

#[tokio::test]
async fn a_server_that_goes_down_before_it_has_answered_is_no_refusal() {
    let (cluster, machine) = (FakeCluster::new(), Machine::new());
    let server = FakeServer::listen_tls(&cluster).await;
    cluster.lose_answers(1);
    let agent = machine.agent(&[&server.address], Some(cluster.token.to_string()));
    until("it is let in, and hears nothing of it", || {
        !cluster.calls().is_empty()
    })
    .await;
    let address = server.address.clone();
    server.end().await;
    let server = FakeServer::listen_tls_at(&cluster, &address).await;
    server.until("a session stands", |told| told.sessions == 1).await;
    assert_eq!(cluster.calls(), ["join node n1", "join node n1"]);
    assert_eq!(cluster.keys(), 1, "it is the same machine");
    agent.stop().await;
}

#[tokio::test]
async fn an_agent_that_ends_before_it_was_answered_asks_with_the_same_key_again() {
    let (cluster, machine) = (FakeCluster::new(), Machine::new());
    let server = FakeServer::listen_tls(&cluster).await;
    cluster.lose_answers(1);
    let token = || Some(cluster.token.to_string());
    let agent = machine.agent(&[&server.address], token());
    until("it is let in, and hears nothing of it", || {
        !cluster.calls().is_empty()
    })
    .await;
    agent.stop().await;
    let agent = machine.agent(&[&server.address], token());
    server.until("a session stands", |told| told.sessions == 1).await;
    assert_eq!((cluster.calls().len(), cluster.keys()), (2, 1));
    agent.stop().await;
}

#[tokio::test]
async fn another_nodes_certificate_is_not_used() {
    let (cluster, machine) = (FakeCluster::new(), Machine::new());
    let validity = Validity::from(clock::now(), Duration::from_secs(600));
    cluster
        .credentials("n2", validity)
        .save(&machine.files().dir)
        .unwrap();
    let error = machine.agent(&["127.0.0.1:1"], None).error().await;
    assert!(
        error
            .to_string()
            .contains("has joined as node n2, not as node n1"),
        "{error}"
    );
}

#[tokio::test]
async fn when_its_server_is_gone_a_node_goes_on_with_another_and_no_container_notices() {
    let (cluster, machine) = (FakeCluster::new(), Machine::new());
    let first = FakeServer::listen_tls(&cluster).await;
    let second = FakeServer::listen_tls(&cluster).await;
    cluster.set_servers(&[&first.address, &second.address]);
    let agent = machine.agent(&[&first.address], Some(cluster.token.to_string()));
    first.until("a session stands", |told| told.sessions == 1).await;
    first.snapshot(&[node(), pod("web").into()]).await;
    let before = first.status(&uid("web"), "it runs", is_ready).await;
    drop(first);
    second
        .until("the other server has the session", |told| told.sessions == 1)
        .await;
    second.snapshot(&[node(), pod("web").into()]).await;
    let after = second.status(&uid("web"), "it still runs", is_ready).await;
    assert_eq!(after, before);
    assert_eq!(machine.runtime.calls().0, 1);
    agent.stop().await;
}

#[tokio::test]
async fn a_new_ca_is_trusted_at_once_and_signs_a_new_certificate_soon() {
    let (cluster, machine) = (FakeCluster::new(), Machine::new());
    let server = FakeServer::listen_tls(&cluster).await;
    cluster.set_servers(&[&server.address]);
    let agent = machine.agent(&[&server.address], Some(cluster.token.to_string()));
    server.until("a session stands", |told| told.sessions == 1).await;
    cluster.rotate_ca();
    assert!(!cluster.has_signed(&machine.certificate()));
    server.welcome_again().await;
    until("the new CA has signed", || {
        cluster.has_signed(&machine.certificate())
    })
    .await;
    assert_eq!(cluster.calls().last().unwrap(), "renew node n1");
    let bundle = Credentials::load(&machine.files().dir)
        .unwrap()
        .unwrap()
        .bundle()
        .to_pem();
    assert_eq!(bundle, cluster.bundle_pem());

    // Servers show certificates of the new CA from now on.
    drop(server);
    let server = FakeServer::listen_tls(&cluster).await;
    agent.stop().await;
    let agent = machine.agent(&[&server.address], None);
    server.until("a session stands", |told| told.sessions == 1).await;
    agent.stop().await;
}

#[tokio::test]
async fn a_certificate_is_renewed_before_it_ends() {
    let (cluster, machine) = (FakeCluster::new(), Machine::new());
    let server = FakeServer::listen_tls(&cluster).await;
    cluster.set_servers(&[&server.address]);
    // An hour has gone by, and ten minutes are left.
    let late = Validity::from(clock::now(), Duration::from_secs(600));
    let old = cluster.credentials("n1", late);
    old.save(&machine.files().dir).unwrap();
    let agent = machine.agent(&[&server.address], None);
    until("there is a new one", || {
        machine.certificate() != *old.certificate()
    })
    .await;
    assert_eq!(cluster.calls(), ["renew node n1"]);
    agent.stop().await;
}

#[tokio::test]
async fn a_node_that_was_off_longer_than_its_certificate_proves_its_old_key() {
    let (cluster, machine) = (FakeCluster::new(), Machine::new());
    let server = FakeServer::listen_tls(&cluster).await;
    cluster.set_servers(&[&server.address]);
    let ended = Validity {
        not_before: skep_api::Time::from_secs(1_000_000_000),
        not_after: skep_api::Time::from_secs(1_000_003_600),
    };
    cluster
        .credentials("n1", ended)
        .save(&machine.files().dir)
        .unwrap();
    let agent = machine.agent(&[&server.address], None);
    let told = server.until("a session stands", |told| told.sessions == 1).await;
    assert_eq!(told.identity, n1());
    assert_eq!(cluster.calls(), ["rejoin node n1"]);
    agent.stop().await;
}
