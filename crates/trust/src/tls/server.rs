//! The server's side of a handshake.

use std::sync::Arc;

use rustls::{
    CertificateError, DistinguishedName,
    client::danger::HandshakeSignatureValid,
    pki_types::{CertificateDer, UnixTime},
    server::{
        ClientHello, ResolvesServerCert,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    sign::CertifiedKey,
};

use super::{Tls, signatures};
use crate::certificate::identity_of;

/// Shows the certificate in use.
#[derive(Debug)]
pub(super) struct OwnCertificate(pub Tls);

impl ResolvesServerCert for OwnCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.current().map(|live| live.as_server.clone())
    }
}

/// Lets clients in that show no certificate, and those whose certificate the bundle in use accepts.
#[derive(Debug)]
pub(super) struct Clients(pub Tls);

impl ClientCertVerifier for Clients {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let live = self.0.current().ok_or(CertificateError::UnknownIssuer)?;
        let verified = live.clients.verify_client_cert(end_entity, intermediates, now)?;
        match identity_of(std::slice::from_ref(end_entity)) {
            Some(_) => Ok(verified),
            None => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    signatures!();
}
