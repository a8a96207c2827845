//! The key of a machine or a person. It never leaves where it was made.

use std::{fmt, path::Path};

use rcgen::{CertificateParams, DistinguishedName, KeyPair, PublicKeyData, SigningKey};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use zeroize::Zeroizing;

use crate::{TrustError, files};

/// An ECDSA key on the curve P-256, in memory or in a file of mode 0600.
pub struct KeyPairFile {
    pair: KeyPair,
}

impl KeyPairFile {
    /// A new key, in memory.
    pub fn generate() -> Self {
        Self {
            pair: KeyPair::generate().expect("the system gives random bytes"),
        }
    }

    /// The key in this file; a new one where there is no file yet.
    ///
    /// # Errors
    /// Where the file cannot be read or written, or holds no such key.
    pub fn open(path: &Path) -> Result<Self, TrustError> {
        if let Some(pem) = files::read_text(path)?.map(Zeroizing::new) {
            return Self::from_pem(&pem);
        }
        let key = Self::generate();
        files::write_private(path, key.pem().as_bytes())?;
        Ok(key)
    }

    /// Reads a key in PEM (PKCS #8).
    ///
    /// # Errors
    /// Where there is no P-256 key in it.
    pub fn from_pem(pem: &str) -> Result<Self, TrustError> {
        let unreadable = |error| TrustError::unreadable("the private key", error);
        let pair =
            KeyPair::from_pkcs8_pem_and_sign_algo(pem, &rcgen::PKCS_ECDSA_P256_SHA256).map_err(unreadable)?;
        Ok(Self { pair })
    }

    /// The key in PEM (PKCS #8): to be written to files of mode 0600 only.
    pub fn pem(&self) -> Zeroizing<String> {
        Zeroizing::new(self.pair.serialize_pem())
    }

    /// A request for a certificate (PKCS #10, PEM). It names nobody: who it is for is the issuer's to say.
    pub fn csr(&self) -> String {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params
            .serialize_request(&self.pair)
            .and_then(|request| request.pem())
            .expect("a request without names can always be written")
    }

    /// Signs a message (ECDSA P-256 with SHA-256, ASN.1).
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).expect("the system gives random bytes")
    }

    /// True where this certificate is for this key.
    pub fn fits(&self, certificate: &crate::Certificate) -> bool {
        certificate.public_key() == self.pair.der_bytes()
    }

    pub(crate) fn pair(&self) -> &KeyPair {
        &self.pair
    }

    pub(crate) fn der(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.pair.serialize_der()).into()
    }
}

impl fmt::Debug for KeyPairFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyPairFile(..)")
    }
}
