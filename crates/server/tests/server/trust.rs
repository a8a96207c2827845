//! Through the TLS door: who is let in, who may do what, and how the CA changes.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use expect_test::expect;
use serde_json::json;
use skep_api::{
    Time,
    proto::{
        CertStatusRequest, CertStatusResponse, CreateTokenRequest, InfoRequest, IssueUserRequest, JoinRole,
        ListMembersRequest, ListTokensRequest, RejoinRequest, RevokeTokenRequest, RotateCaRequest,
        cluster_client::ClusterClient, join_client::JoinClient, members_client::MembersClient,
        trust_client::TrustClient,
    },
};
use skep_server::{Begin, ClusterConfig};
use skep_trust::{
    Bundle, Ca, Connector, Credentials, EnrollError, Identity, Joined, KeyPairFile, Tls, Token, Validity,
    Wire, endpoint, join, pinned_client_config, prove, renew,
};
use tonic::{Code, transport::Channel};

use crate::{
    agent::{Agent, Behaviour, node_document},
    harness::{Ask, Server, refusal, within},
};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// The first server of a cluster, and its Unix socket as the administrator's way in.
struct Cluster {
    server: Server,
    address: String,
}

impl Cluster {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("home");
        let server = Server::start_in(folder, |config| {
            config.data_dir = config.data_dir.join("state");
            config.cluster = Some(ClusterConfig {
                home,
                begin: Begin::Init,
                name: "alpha".to_owned(),
                listen: "127.0.0.1:0".parse().unwrap(),
                advertise: "127.0.0.1:0".to_owned(),
                learner: false,
                backup_interval: None,
                backups_kept: 0,
            });
        })
        .await;
        let address = server.ready.address.unwrap().to_string();
        Self { server, address }
    }

    fn trust(&self) -> TrustClient<Channel> {
        TrustClient::new(self.server.channel.clone())
    }

    async fn token(&self, role: JoinRole, uses: u32) -> Token {
        let request = CreateTokenRequest {
            role: role.into(),
            lifetime_seconds: 0,
            uses,
        };
        let made = self.trust().create_token(request).await.unwrap().into_inner();
        made.token.parse().unwrap()
    }

    /// As a node.
    async fn join(&self, token: &Token, name: &str) -> Result<Joined, EnrollError> {
        self.join_at(&KeyPairFile::generate(), token, name, "").await
    }

    async fn join_by(&self, key: &KeyPairFile, token: &Token, name: &str) -> Result<Joined, EnrollError> {
        self.join_at(key, token, name, "").await
    }

    /// As a server at this address, or as a node where it is empty.
    async fn join_at(
        &self,
        key: &KeyPairFile,
        token: &Token,
        name: &str,
        address: &str,
    ) -> Result<Joined, EnrollError> {
        let servers = [self.address.clone()];
        within(join(&Wire::default(), &servers, token, key, name, address)).await
    }

    /// A node that has joined and is known to the cluster.
    async fn node(&self, name: &str) -> Tls {
        let token = self.token(JoinRole::Agent, 1).await;
        let joined = self.join(&token, name).await.unwrap();
        let tls = Tls::new(joined.credentials).unwrap();
        let session = self.session(&tls, name).await.unwrap();
        session.leave().await;
        tls
    }

    async fn session(&self, tls: &Tls, name: &str) -> Result<Agent, tonic::Status> {
        let channel = self.dial(tls).await.unwrap();
        Agent::connect_as(&channel, node_document(name, "4"), Behaviour::Runs).await
    }

    async fn dial(&self, tls: &Tls) -> Result<Channel, tonic::transport::Error> {
        let connector = Connector::new(tls.client_config());
        within(endpoint(&self.address).unwrap().connect_with_connector(connector)).await
    }

    async fn dial_as_stranger(&self) -> Channel {
        let connector = Connector::new(pinned_client_config(self.ca().await.hash()));
        let endpoint = endpoint(&self.address).unwrap();
        within(endpoint.connect_with_connector(connector)).await.unwrap()
    }

    async fn renew(&self, tls: &Tls) -> Result<Credentials, EnrollError> {
        let servers = std::slice::from_ref(&self.address);
        let renewed = within(renew(&Wire::default(), servers, tls, "", now())).await;
        renewed.map(|renewed| renewed.credentials)
    }

    async fn user(&self, name: &str, groups: &[&str]) -> Channel {
        let key = KeyPairFile::generate();
        let request = IssueUserRequest {
            csr_pem: key.csr(),
            name: name.to_owned(),
            groups: groups.iter().copied().map(str::to_owned).collect(),
            lifetime_seconds: 0,
        };
        let issued = self.trust().issue_user(request).await.unwrap().into_inner();
        let bundle = Bundle::from_pem(&issued.ca_bundle_pem).unwrap();
        let credentials = Credentials::new(key, &issued.certificate_pem, bundle).unwrap();
        self.dial(&Tls::new(credentials).unwrap()).await.unwrap()
    }

    /// The cluster's own CA, as its servers hold it.
    async fn ca(&self) -> Ca {
        let secret = self
            .server
            .client()
            .doc("Secret", "kube-system/skep-ca")
            .await
            .unwrap();
        let text = |name: &str| {
            let bytes = STANDARD.decode(secret["data"][name].as_str().unwrap()).unwrap();
            String::from_utf8(bytes).unwrap()
        };
        Ca::from_pem(&text("ca.crt"), &text("ca.key")).unwrap()
    }

    /// A node's credentials that have expired so long ago.
    async fn expired(&self, node: &str, ago: Duration) -> Credentials {
        let ca = self.ca().await;
        let begin = now().as_millis() - i64::try_from((ago + DAY).as_millis()).unwrap();
        let validity = Validity::from(Time::from_millis(begin), DAY);
        let key = KeyPairFile::generate();
        let identity = Identity::Node {
            name: node.to_owned(),
        };
        let certificate = ca.issue(&key.csr(), &identity, &[], validity).unwrap();
        Credentials::new(key, &certificate, ca.bundle()).unwrap()
    }

    async fn rotate(&self, retire_after_seconds: Option<u64>) {
        let request = RotateCaRequest { retire_after_seconds };
        self.trust().rotate_ca(request).await.unwrap();
    }

    /// Waits until the server's own certificate is as wanted.
    async fn until_certificate(&self, wanted: impl Fn(&CertStatusResponse) -> bool) -> CertStatusResponse {
        within(async {
            loop {
                let status = self
                    .trust()
                    .cert_status(CertStatusRequest {})
                    .await
                    .unwrap()
                    .into_inner();
                if wanted(&status) {
                    return status;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await
    }
}

fn now() -> Time {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap();
    Time::from_millis(i64::try_from(since.as_millis()).unwrap())
}

fn refused<T: std::fmt::Debug>(result: Result<T, EnrollError>) -> String {
    match result {
        Err(EnrollError::Refused(why)) => why,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn a_node_joins_with_a_token_and_speaks_for_itself_alone() {
    let cluster = Cluster::start().await;
    let token = cluster.token(JoinRole::Agent, 0).await;
    let joined = cluster.join(&token, "a").await.unwrap();
    assert_eq!(joined.server_id, 0);
    assert_eq!(joined.servers, std::slice::from_ref(&cluster.address));
    assert_eq!(joined.cluster_id, cluster.server.ready.cluster_id);
    let tls = Tls::new(joined.credentials).unwrap();
    let session = cluster.session(&tls, "a").await.unwrap();
    session.leave().await;
    let status = cluster.session(&tls, "b").await.err().unwrap();
    expect!["Forbidden: the certificate is of node a, which cannot speak for node b"]
        .assert_eq(&refusal(&status));
}

#[tokio::test]
async fn a_machine_may_call_what_it_needs_and_a_stranger_nothing() {
    let cluster = Cluster::start().await;
    let node = cluster.dial(&cluster.node("a").await).await.unwrap();
    let info = |channel: &Channel| {
        let mut client = ClusterClient::new(channel.clone());
        async move { client.info(InfoRequest {}).await }
    };
    let members = |channel: &Channel| {
        let mut client = MembersClient::new(channel.clone());
        async move { client.list(ListMembersRequest {}).await }
    };
    info(&node).await.unwrap();
    let status = members(&node).await.unwrap_err();
    expect!["Forbidden: node a may not call skep.v1.Members.List"].assert_eq(&refusal(&status));

    let developer = cluster.user("ann", &["dev"]).await;
    info(&developer).await.unwrap();
    assert_eq!(
        members(&developer).await.unwrap_err().code(),
        Code::PermissionDenied
    );

    let admin = cluster.user("root", &["system:masters"]).await;
    assert_eq!(members(&admin).await.unwrap().into_inner().members.len(), 1);
    let session = Agent::connect_as(&admin, node_document("a", "4"), Behaviour::Runs).await;
    assert_eq!(session.err().unwrap().code(), Code::PermissionDenied);

    let stranger = cluster.dial_as_stranger().await;
    let status = info(&stranger).await.unwrap_err();
    expect!["Unauthorized: a certificate of this cluster is needed for this"].assert_eq(&refusal(&status));
}

#[tokio::test]
async fn a_token_is_good_for_its_uses_and_until_it_is_revoked() {
    let cluster = Cluster::start().await;
    let twice = cluster.token(JoinRole::Agent, 2).await;
    let listed = async || {
        let listed = cluster.trust().list_tokens(ListTokensRequest {}).await.unwrap();
        listed.into_inner().tokens
    };
    assert_eq!(listed().await[0].uses_left, Some(2));
    // What fails does not count.
    refused(cluster.join(&twice, "not a name").await);
    for name in ["a", "b"] {
        cluster.join(&twice, name).await.unwrap();
    }
    let why = refused(cluster.join(&twice, "c").await);
    expect!["the join token was used as often as it may be: make another one"].assert_eq(&why);
    assert_eq!(listed().await, []);

    let any = cluster.token(JoinRole::Agent, 0).await;
    let guessed = Token::generate(any.ca());
    let why = refused(cluster.join(&guessed, "c").await);
    expect!["the join token is unknown or was revoked: make another one"].assert_eq(&why);
    cluster.join(&any, "c").await.unwrap();
    let id = any.id().to_owned();
    cluster
        .trust()
        .revoke_token(RevokeTokenRequest { id })
        .await
        .unwrap();
    refused(cluster.join(&any, "d").await);
}

#[tokio::test]
async fn who_was_let_in_and_did_not_hear_of_it_comes_in_by_the_same_use() {
    let cluster = Cluster::start().await;
    let (once, key) = (cluster.token(JoinRole::Agent, 1).await, KeyPairFile::generate());
    for _ in 0..2 {
        cluster.join_by(&key, &once, "a").await.unwrap();
    }
    let used_up = "the join token was used as often as it may be: make another one";
    assert_eq!(refused(cluster.join_by(&key, &once, "b").await), used_up);
    assert_eq!(refused(cluster.join(&once, "a").await), used_up);

    let twice = cluster.token(JoinRole::Agent, 2).await;
    for _ in 0..3 {
        cluster.join_by(&key, &twice, "a").await.unwrap();
    }
    cluster.join(&twice, "b").await.unwrap();
    assert_eq!(refused(cluster.join(&twice, "c").await), used_up);
}

#[tokio::test]
async fn the_secret_of_a_token_is_not_in_the_state() {
    let cluster = Cluster::start().await;
    let token = cluster.token(JoinRole::Agent, 0).await;
    let name = format!("kube-system/join-token-{}", token.id());
    let stored = cluster.server.client().doc("Secret", &name).await.unwrap();
    let secret = token.to_string();
    let secret = secret.rsplit('.').next().unwrap();
    for value in stored["data"].as_object().unwrap().values() {
        let value = STANDARD.decode(value.as_str().unwrap()).unwrap();
        assert!(!String::from_utf8(value).unwrap().contains(secret));
    }
}

#[tokio::test]
async fn each_server_gets_a_number_of_its_own_and_an_agents_token_makes_no_server() {
    let cluster = Cluster::start().await;
    let token = cluster.token(JoinRole::Server, 0).await;
    let beta_at = async |token| {
        cluster
            .join_at(&KeyPairFile::generate(), token, "beta", "10.9.8.7:7443")
            .await
    };
    let first = beta_at(&token).await.unwrap();
    let second = beta_at(&token).await.unwrap();
    assert_eq!((first.server_id, second.server_id), (2, 3));
    let identity = |joined: &Joined| joined.credentials.identity().clone();
    let beta = |id| Identity::Server {
        id,
        name: "beta".to_owned(),
    };
    assert_eq!((identity(&first), identity(&second)), (beta(2), beta(3)));
    let why = refused(cluster.join(&token, "beta").await);
    expect![[r#"the join token is for servers and lets no agent in: make another one with `skep token create --role agent`"#]]
        .assert_eq(&why);
    let token = cluster.token(JoinRole::Agent, 0).await;
    let why = refused(beta_at(&token).await);
    expect![[r#"the join token is for agents and lets no server in: make another one with `skep token create --role server`"#]]
        .assert_eq(&why);
    let node = cluster.join(&token, "beta").await.unwrap();
    assert_eq!(
        identity(&node),
        Identity::Node {
            name: "beta".to_owned()
        }
    );
}

#[tokio::test]
async fn a_server_that_would_not_be_let_in_spends_no_token() {
    let cluster = Cluster::start().await;
    let token = cluster.token(JoinRole::Server, 1).await;
    let own = {
        let listed = MembersClient::new(cluster.server.channel.clone())
            .list(ListMembersRequest {})
            .await;
        listed.unwrap().into_inner().members[0].name.clone()
    };
    let why = refused(
        cluster
            .join_at(&KeyPairFile::generate(), &token, &own, "10.9.8.7:7443")
            .await,
    );
    assert!(why.contains("is in the cluster already"), "{why}");
    let why = refused(
        cluster
            .join_at(&KeyPairFile::generate(), &token, "No Such", "10.9.8.7:7443")
            .await,
    );
    assert!(why.contains("must consist of lower-case letters"), "{why}");
    let listed = cluster.trust().list_tokens(ListTokensRequest {}).await.unwrap();
    assert_eq!(listed.into_inner().tokens[0].uses_left, Some(1));
    cluster
        .join_at(&KeyPairFile::generate(), &token, "beta", "10.9.8.7:7443")
        .await
        .unwrap();
}

#[tokio::test]
async fn a_token_of_another_cluster_is_told_at_once() {
    let (cluster, other) = (Cluster::start().await, Cluster::start().await);
    let token = other.token(JoinRole::Agent, 0).await;
    let error = cluster.join(&token, "a").await.unwrap_err();
    assert!(matches!(error, EnrollError::Stranger(_)), "{error}");
    assert!(error.to_string().contains(&cluster.address), "{error}");
    // Where one of several is none of the cluster's, the others are asked all the same.
    let servers = [cluster.address.clone(), other.address.clone()];
    let key = KeyPairFile::generate();
    within(join(&Wire::default(), &servers, &token, &key, "a", ""))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_newcomer_cannot_take_the_name_of_a_node_that_lives() {
    let cluster = Cluster::start().await;
    let tls = cluster.node("a").await;
    let session = cluster.session(&tls, "a").await.unwrap();
    let token = cluster.token(JoinRole::Agent, 0).await;
    let why = refused(cluster.join(&token, "a").await);
    expect![[r#"name: there is a node "a" that is ready: choose another name, or delete that node first"#]]
        .assert_eq(&why);
    session.leave().await;
}

#[tokio::test]
async fn a_renewed_certificate_is_for_the_same_node_with_another_key() {
    let cluster = Cluster::start().await;
    let tls = cluster.node("a").await;
    let before = tls.with_credentials(|own| own.key().pem()).unwrap();
    let renewed = cluster.renew(&tls).await.unwrap();
    assert_eq!(renewed.identity(), &Identity::Node { name: "a".to_owned() });
    assert_ne!(renewed.key().pem(), before);
    tls.replace(renewed).unwrap();
    cluster.session(&tls, "a").await.unwrap().leave().await;
}

#[tokio::test]
async fn a_node_comes_back_with_an_expired_certificate_while_the_cluster_allows_it() {
    let cluster = Cluster::start().await;
    cluster.node("a").await;
    let late = Tls::new(cluster.expired("a", 30 * DAY).await).unwrap();
    late.replace(cluster.renew(&late).await.unwrap()).unwrap();
    cluster.session(&late, "a").await.unwrap().leave().await;

    let annotation = json!({ "metadata": { "annotations": { "skep.io/rejoin-days": "20" } } });
    let client = cluster.server.client();
    client
        .patch_doc("Secret", "kube-system/skep-ca", annotation)
        .await
        .unwrap();
    let late = Tls::new(cluster.expired("a", 30 * DAY).await).unwrap();
    let why = refused(cluster.renew(&late).await);
    assert!(
        why.starts_with("the certificate has expired, and could be renewed until"),
        "{why}"
    );
    let early = Tls::new(cluster.expired("a", 10 * DAY).await).unwrap();
    cluster.renew(&early).await.unwrap();
}

#[tokio::test]
async fn coming_back_takes_the_old_key_and_a_node_that_was_not_deleted() {
    let cluster = Cluster::start().await;
    cluster.node("a").await;
    let expired = cluster.expired("a", DAY).await;
    let channel = cluster.dial_as_stranger().await;
    let csr_pem = KeyPairFile::generate().csr();
    let stolen = RejoinRequest {
        certificate_pem: expired.certificate_pem(),
        signature: prove(&KeyPairFile::generate(), &csr_pem),
        csr_pem,
    };
    let status = JoinClient::new(channel).rejoin(stolen).await.unwrap_err();
    expect!["Forbidden: the certificate is not accepted: the request is not signed by its key"]
        .assert_eq(&refusal(&status));

    cluster.server.client().delete_named("Node", "a").await.unwrap();
    let why = refused(cluster.renew(&Tls::new(expired).unwrap()).await);
    expect!["node a was deleted from the cluster: join again with a token"].assert_eq(&why);
}

#[tokio::test]
async fn the_ca_is_rotated_while_everybody_goes_on() {
    let cluster = Cluster::start().await;
    let tls = cluster.node("a").await;
    let token = cluster.token(JoinRole::Agent, 0).await;
    let session = cluster.session(&tls, "a").await.unwrap();
    let old = cluster.ca().await.hash().to_string();

    cluster.rotate(None).await;
    let status = cluster
        .until_certificate(|status| status.server.as_ref().is_some_and(|own| own.issuer_hash != old))
        .await;
    let active: Vec<bool> = status
        .authorities
        .iter()
        .map(|authority| authority.active)
        .collect();
    assert_eq!(active, [true, false]);
    assert_eq!(status.authorities[1].hash, old);
    assert!(status.authorities[1].retires_millis > now().as_millis());
    let new = status.authorities[0].hash.clone();
    assert_eq!(issuer(&status, "alpha").as_ref(), Some(&new));
    assert_eq!(
        issuer(&status, "a").as_ref(),
        Some(&old),
        "it has not renewed yet"
    );
    session.heartbeat().await;
    session.leave().await;
    cluster.session(&tls, "a").await.unwrap().leave().await;
    cluster.join(&token, "b").await.unwrap();

    let renewed = cluster.renew(&tls).await.unwrap();
    assert!(
        renewed
            .certificate()
            .is_signed_by(cluster.ca().await.certificate())
    );
    let given = |status: &CertStatusResponse| issuer(status, "a").as_ref() == Some(&new);
    cluster.until_certificate(given).await;
    cluster.session(&tls, "a").await.unwrap().leave().await;
    assert!(
        given(&cluster.until_certificate(|_| true).await),
        "an old connection says nothing new"
    );
    tls.replace(renewed).unwrap();
    cluster.session(&tls, "a").await.unwrap().leave().await;
    assert!(given(&cluster.until_certificate(|_| true).await));
}

/// The CA that signed what a machine holds, as far as that is known.
fn issuer(status: &CertStatusResponse, machine: &str) -> Option<String> {
    let found = status.machines.iter().find(|found| found.name == machine)?;
    found.certificate.as_ref().map(|held| held.issuer_hash.clone())
}

#[tokio::test]
async fn a_ca_that_retires_at_once_takes_along_who_has_not_renewed() {
    let cluster = Cluster::start().await;
    let tls = cluster.node("a").await;
    let old = cluster.ca().await.hash().to_string();
    cluster.rotate(Some(0)).await;
    let status = cluster
        .until_certificate(|status| status.server.as_ref().is_some_and(|own| own.issuer_hash != old))
        .await;
    assert_eq!(status.authorities.len(), 1);
    let turned_away = match cluster.dial(&tls).await {
        Err(_) => true,
        Ok(channel) => {
            let session = Agent::connect_as(&channel, node_document("a", "4"), Behaviour::Runs).await;
            session.is_err()
        }
    };
    assert!(turned_away);
}

#[tokio::test]
async fn the_ca_cannot_be_deleted() {
    let cluster = Cluster::start().await;
    let client = cluster.server.client();
    let status = client
        .delete_named("Secret", "kube-system/skep-ca")
        .await
        .unwrap_err();
    expect![[r#"Forbidden: secrets "skep-ca" is forbidden: the cluster's CA may not be deleted: rotate it"#]]
        .assert_eq(&refusal(&status));
}
