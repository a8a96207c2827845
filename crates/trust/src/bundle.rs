//! The CAs that are trusted: one, or two while one takes over from the other.

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

use crate::{CaHash, TrustError, certificate::to_pem};

/// CAs in a bundle; more than a cluster ever has at once.
const CAS_MAX: usize = 16;

/// The CAs that are trusted, the active one first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle(Vec<CertificateDer<'static>>);

impl Bundle {
    /// A bundle of these certificates.
    pub fn new(certificates: Vec<CertificateDer<'static>>) -> Self {
        Self(certificates)
    }

    /// Reads certificates in PEM.
    ///
    /// # Errors
    /// Where there is none, or one that cannot be a trust anchor.
    pub fn from_pem(pem: &str) -> Result<Self, TrustError> {
        let unreadable = |why: String| TrustError::unreadable("the bundle of CAs", why);
        let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|error| unreadable(error.to_string()))?;
        if certificates.is_empty() || certificates.len() > CAS_MAX {
            return Err(unreadable(format!(
                "it holds {} certificates",
                certificates.len()
            )));
        }
        let bundle = Self(certificates);
        bundle.roots()?;
        Ok(bundle)
    }

    /// The certificates in PEM.
    pub fn to_pem(&self) -> String {
        self.0.iter().map(|certificate| to_pem(certificate)).collect()
    }

    /// The certificates.
    pub fn certificates(&self) -> &[CertificateDer<'static>] {
        &self.0
    }

    /// Their hashes, as in join tokens.
    pub fn hashes(&self) -> impl Iterator<Item = CaHash> {
        self.0.iter().map(CaHash::of)
    }

    pub(crate) fn roots(&self) -> Result<RootCertStore, TrustError> {
        let mut roots = RootCertStore::empty();
        for certificate in &self.0 {
            roots
                .add(certificate.clone())
                .map_err(|error| TrustError::unreadable("a CA's certificate", error))?;
        }
        Ok(roots)
    }
}
