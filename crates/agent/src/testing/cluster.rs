//! A cluster that lets nodes in: a CA, a join token, and the service that hands certificates out.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use skep_api::proto::{
    JoinRequest, JoinResponse, RejoinRequest, RenewRequest, RenewResponse, join_server::Join,
};
use skep_trust::{
    Bundle, Ca, Certificate, Credentials, Identity, KeyPairFile, Tls, Token, Validity, identity_of,
    key_of_csr, verify_proof,
};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_rustls::TlsAcceptor;
use tonic::{Request, Response, Status, service::Routes};
use tower::ServiceExt;

use crate::clock;

/// How long certificates are valid.
const LIFETIME: Duration = Duration::from_secs(3600);

/// A cluster that lets nodes in.
pub(crate) struct FakeCluster {
    state: Mutex<State>,
    pub(crate) token: Token,
}

struct State {
    /// The active one first.
    cas: Vec<Ca>,
    servers: Vec<String>,
    /// What was asked of it, in words.
    calls: Vec<String>,
    /// The keys that were let in.
    keys: BTreeSet<Vec<u8>>,
    /// How many of those who join next are let in, and hear nothing of it.
    answers_lost: u32,
}

impl FakeCluster {
    pub(crate) fn new() -> Arc<Self> {
        let ca = Ca::create(clock::now());
        Arc::new(Self {
            token: Token::generate(ca.hash()),
            state: Mutex::new(State {
                cas: vec![ca],
                servers: Vec::new(),
                calls: Vec::new(),
                keys: BTreeSet::new(),
                answers_lost: 0,
            }),
        })
    }

    /// Nodes are told of these servers.
    pub(crate) fn set_servers(&self, servers: &[&str]) {
        self.state.lock().unwrap().servers = servers.iter().map(|server| (*server).to_owned()).collect();
    }

    /// Another CA signs from now on; the old one stays trusted.
    pub(crate) fn rotate_ca(&self) {
        let mut state = self.state.lock().unwrap();
        let next = state.cas[0].successor(clock::now()).unwrap();
        state.cas.insert(0, next);
    }

    /// So many of those who join next hear nothing, until their server is gone.
    pub(crate) fn lose_answers(&self, count: u32) {
        self.state.lock().unwrap().answers_lost = count;
    }

    /// How many keys were let in.
    pub(crate) fn keys(&self) -> usize {
        self.state.lock().unwrap().keys.len()
    }

    /// What was asked so far.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.state.lock().unwrap().calls.clone()
    }

    pub(crate) fn servers(&self) -> Vec<String> {
        self.state.lock().unwrap().servers.clone()
    }

    pub(crate) fn bundle_pem(&self) -> String {
        self.bundle().to_pem()
    }

    /// True where the active CA has signed the certificate.
    pub(crate) fn has_signed(&self, certificate: &Certificate) -> bool {
        certificate.is_signed_by(self.state.lock().unwrap().cas[0].certificate())
    }

    /// A node's credentials with a certificate of this validity.
    pub(crate) fn credentials(&self, node: &str, validity: Validity) -> Credentials {
        let identity = Identity::Node {
            name: node.to_owned(),
        };
        self.issue_to(&identity, validity)
    }

    /// What a server shows.
    pub(crate) fn server_tls(&self) -> Tls {
        let identity = Identity::Server {
            id: 1,
            name: "one".to_owned(),
        };
        Tls::new(self.issue_to(&identity, Validity::from(clock::now(), LIFETIME))).unwrap()
    }

    fn issue_to(&self, identity: &Identity, validity: Validity) -> Credentials {
        let key = KeyPairFile::generate();
        let state = self.state.lock().unwrap();
        let pem = state.cas[0].issue(&key.csr(), identity, &[], validity).unwrap();
        drop(state);
        Credentials::new(key, &pem, self.bundle()).unwrap()
    }

    fn bundle(&self) -> Bundle {
        let state = self.state.lock().unwrap();
        Bundle::new(state.cas.iter().map(|ca| ca.certificate().clone()).collect())
    }

    fn sign(&self, csr: &str, identity: &Identity, call: String) -> RenewResponse {
        let mut state = self.state.lock().unwrap();
        state.calls.push(call);
        let validity = Validity::from(clock::now(), LIFETIME);
        let certificate_pem = state.cas[0].issue(csr, identity, &[], validity).unwrap();
        drop(state);
        RenewResponse {
            certificate_pem,
            ca_bundle_pem: self.bundle_pem(),
            servers: self.servers(),
        }
    }
}

impl FakeCluster {
    /// Notes the key; true where it is not to hear of it.
    fn lets_in(&self, csr: &str) -> bool {
        let mut state = self.state.lock().unwrap();
        state.keys.insert(key_of_csr(csr).unwrap());
        let is_lost = state.answers_lost > 0;
        state.answers_lost = state.answers_lost.saturating_sub(1);
        is_lost
    }
}

#[tonic::async_trait]
impl Join for FakeCluster {
    async fn join(&self, request: Request<JoinRequest>) -> Result<Response<JoinResponse>, Status> {
        let request = request.into_inner();
        if request.token != self.token.to_string() {
            return Err(Status::unauthenticated("the join token was revoked"));
        }
        let identity = Identity::Node { name: request.name };
        let given = self.sign(&request.csr_pem, &identity, format!("join {identity}"));
        if self.lets_in(&request.csr_pem) {
            std::future::pending::<()>().await;
        }
        Ok(Response::new(JoinResponse {
            certificate_pem: given.certificate_pem,
            ca_bundle_pem: given.ca_bundle_pem,
            server_id: 0,
            servers: given.servers,
            cluster_id: "test-cluster".to_owned(),
        }))
    }

    async fn renew(&self, request: Request<RenewRequest>) -> Result<Response<RenewResponse>, Status> {
        let identity = request.extensions().get::<Identity>().cloned();
        let identity = identity.ok_or_else(|| Status::unauthenticated("show a certificate"))?;
        let call = format!("renew {identity}");
        Ok(Response::new(self.sign(
            &request.get_ref().csr_pem,
            &identity,
            call,
        )))
    }

    async fn rejoin(&self, request: Request<RejoinRequest>) -> Result<Response<RenewResponse>, Status> {
        let RejoinRequest {
            certificate_pem,
            csr_pem,
            signature,
        } = request.into_inner();
        let old = Certificate::from_pem(&certificate_pem).unwrap();
        verify_proof(&old, &self.bundle(), &csr_pem, &signature)
            .map_err(|error| Status::permission_denied(error.to_string()))?;
        let identity = old.identity.clone().expect("a node's certificate");
        let call = format!("rejoin {identity}");
        Ok(Response::new(self.sign(&csr_pem, &identity, call)))
    }
}

/// Serves over TLS until it is dropped; connections end with it.
pub(super) async fn serve(listener: TcpListener, tls: Tls, routes: Routes) {
    let acceptor = TlsAcceptor::from(tls.server_config());
    let mut connections = JoinSet::new();
    loop {
        let (tcp, _) = listener.accept().await.unwrap();
        let (acceptor, routes) = (acceptor.clone(), routes.clone());
        connections.spawn(async move {
            let Ok(stream) = acceptor.accept(tcp).await else {
                return;
            };
            let shown = stream.get_ref().1.peer_certificates();
            let identity = shown.and_then(identity_of);
            let service = routes.map_request(move |mut request: http::Request<hyper::body::Incoming>| {
                request
                    .extensions_mut()
                    .extend(identity.clone().map(extension).unwrap_or_default());
                request
            });
            // A connection that breaks is the client's to notice.
            let _ = Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
                .await;
        });
    }
}

fn extension(identity: Identity) -> http::Extensions {
    let mut extensions = http::Extensions::new();
    extensions.insert(identity);
    extensions
}
