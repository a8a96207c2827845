//! The client's side of a handshake.

use std::sync::Arc;

use rustls::{
    CertificateError, SignatureScheme,
    client::{
        ResolvesClientCert,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    pki_types::{CertificateDer, ServerName, UnixTime},
    sign::CertifiedKey,
};

use super::{Tls, signatures, verify_server};

/// Accepts servers of the cluster.
#[derive(Debug)]
pub(super) struct Servers(pub Tls);

impl ServerCertVerifier for Servers {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let live = self.0.current().ok_or(CertificateError::UnknownIssuer)?;
        verify_server(end_entity, intermediates, &live.roots, now)
    }

    signatures!();
}

/// Shows the certificate in use as long as it is valid: one that has expired would end the handshake, while without one
/// a machine can still ask to be let in again.
#[derive(Debug)]
pub(super) struct OwnCertificate(pub Tls);

impl ResolvesClientCert for OwnCertificate {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let live = self.0.current()?;
        (!live.is_expired(UnixTime::now())).then(|| live.as_client.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}
