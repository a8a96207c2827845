//! TLS configurations that follow the credentials: a renewed certificate or a new CA counts from the next connection on.

mod client;
mod server;

use std::{
    fmt,
    sync::{Arc, RwLock},
};

use rustls::{
    CertificateError, ClientConfig, ConfigBuilder, RootCertStore, ServerConfig, WantsVerifier,
    client::{Resumption, danger::ServerCertVerified, verify_server_cert_signed_by_trust_anchor},
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, UnixTime},
    server::{NoServerSessionStorage, ParsedCertificate, WebPkiClientVerifier, danger::ClientCertVerifier},
    sign::CertifiedKey,
    version::TLS13,
};
use skep_api::Time;

use crate::{Credentials, Identity, TrustError, certificate::identity_of};

/// Makes ring the crypto library of the whole program: to be called first in `main`.
pub fn install_crypto() {
    // A second call finds the first one's choice, which is the same.
    drop(ring::default_provider().install_default());
}

/// TLS with credentials that can be swapped while connections come and go.
///
/// Clones share them. There may be none at first: until then, no handshake succeeds as a server, and none is authenticated
/// as a client.
#[derive(Clone, Default)]
pub struct Tls {
    live: Arc<RwLock<Option<Arc<Live>>>>,
}

/// Credentials, made ready for handshakes.
struct Live {
    credentials: Credentials,
    /// As shown to clients: with the CAs, among which a new machine looks for the one that its token pins.
    as_server: Arc<CertifiedKey>,
    as_client: Arc<CertifiedKey>,
    roots: RootCertStore,
    clients: Arc<dyn ClientCertVerifier>,
}

impl Tls {
    /// TLS with these credentials.
    ///
    /// # Errors
    /// Where they cannot be used for TLS.
    pub fn new(credentials: Credentials) -> Result<Self, TrustError> {
        let tls = Self::default();
        tls.replace(credentials)?;
        Ok(tls)
    }

    /// Uses these credentials from the next handshake on.
    ///
    /// # Errors
    /// Where they cannot be used for TLS; the ones before stay in use then.
    pub fn replace(&self, credentials: Credentials) -> Result<(), TrustError> {
        let live = Arc::new(Live::new(credentials)?);
        *self.live.write().expect("no holder panics") = Some(live);
        Ok(())
    }

    /// Looks at the credentials in use; `None` where there are none yet.
    pub fn with_credentials<T>(&self, look: impl FnOnce(&Credentials) -> T) -> Option<T> {
        self.current().map(|live| look(&live.credentials))
    }

    /// For servers: clients may show a certificate; one that is not valid ends the handshake. Speaks h2 and http/1.1.
    pub fn server_config(&self) -> Arc<ServerConfig> {
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .expect("the provider knows TLS 1.3")
            .with_client_cert_verifier(Arc::new(server::Clients(self.clone())))
            .with_cert_resolver(Arc::new(server::OwnCertificate(self.clone())));
        // A resumed session would outlive the certificate that it began with.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Arc::new(config)
    }

    /// For clients, servers among them: speaks with servers of the cluster only, by whatever address they are reached.
    /// A certificate that has expired is not shown.
    pub fn client_config(&self) -> Arc<ClientConfig> {
        let mut config = client_builder()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(client::Servers(self.clone())))
            .with_client_cert_resolver(Arc::new(client::OwnCertificate(self.clone())));
        config.resumption = Resumption::disabled();
        config.alpn_protocols = vec![b"h2".to_vec()];
        Arc::new(config)
    }

    fn current(&self) -> Option<Arc<Live>> {
        self.live.read().expect("no holder panics").clone()
    }
}

impl Live {
    fn new(credentials: Credentials) -> Result<Self, TrustError> {
        let unusable = |error: rustls::Error| TrustError::NotAccepted(error.to_string());
        let provider = provider();
        let key = provider
            .key_provider
            .load_private_key(credentials.key().der())
            .map_err(unusable)?;
        let own = credentials.chain().to_vec();
        let with_cas = own.iter().chain(credentials.bundle().certificates()).cloned();
        let roots = credentials.bundle().roots()?;
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots.clone()), provider)
            .clear_root_hint_subjects()
            .build()
            .map_err(|error| TrustError::NotAccepted(error.to_string()))?;
        Ok(Self {
            as_server: Arc::new(CertifiedKey::new(with_cas.collect(), key.clone())),
            as_client: Arc::new(CertifiedKey::new(own, key)),
            credentials,
            roots,
            clients,
        })
    }

    fn is_expired(&self, now: UnixTime) -> bool {
        let now = Time::from_secs(i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
        now > self.credentials.certificate().validity.not_after
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = self.with_credentials(|credentials| credentials.identity().to_string());
        f.debug_tuple("Tls").field(&who).finish()
    }
}

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

pub(crate) fn client_builder() -> ConfigBuilder<ClientConfig, WantsVerifier> {
    ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .expect("the provider knows TLS 1.3")
}

/// Accepts the certificate of a server of the cluster. Which one it is does not matter here: servers are one another's
/// equals, and their addresses change.
pub(crate) fn verify_server(
    end_entity: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    roots: &RootCertStore,
    now: UnixTime,
) -> Result<ServerCertVerified, rustls::Error> {
    let parsed = ParsedCertificate::try_from(end_entity)?;
    let algorithms = ring::default_provider().signature_verification_algorithms;
    verify_server_cert_signed_by_trust_anchor(&parsed, roots, intermediates, now, algorithms.all)?;
    match identity_of(std::slice::from_ref(end_entity)) {
        Some(Identity::Server { .. }) => Ok(ServerCertVerified::assertion()),
        _ => Err(CertificateError::ApplicationVerificationFailure.into()),
    }
}

/// The parts of a verifier that check signatures of the handshake itself, as ring does it.
macro_rules! signatures {
    () => {
        fn verify_tls12_signature(
            &self,
            message: &[u8],
            certificate: &rustls::pki_types::CertificateDer<'_>,
            signed: &rustls::DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms;
            rustls::crypto::verify_tls12_signature(message, certificate, signed, &algorithms)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            certificate: &rustls::pki_types::CertificateDer<'_>,
            signed: &rustls::DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms;
            rustls::crypto::verify_tls13_signature(message, certificate, signed, &algorithms)
        }

        fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
            rustls::crypto::ring::default_provider()
                .signature_verification_algorithms
                .supported_schemes()
        }
    };
}
pub(crate) use signatures;
