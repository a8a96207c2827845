//! Proof that a machine whose certificate has expired still holds the key.

use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use sha2::{Digest, Sha256};

use crate::{Bundle, Certificate, KeyPairFile, TrustError};

/// Keeps these signatures apart from all others that the key makes.
const PURPOSE: &[u8] = b"skep rejoin 1\n";

/// Signs a CSR with the old key. The signature is worth nothing to who sees it: it serves that CSR alone, which serves the
/// holder of the new key alone.
pub fn prove(old: &KeyPairFile, csr_pem: &str) -> Vec<u8> {
    old.sign(&message(csr_pem))
}

/// Checks that one of these CAs issued the certificate, expired or not, and that its key signed the CSR.
///
/// # Errors
/// Where either is not so.
pub fn verify_proof(
    expired: &Certificate,
    trusted: &Bundle,
    csr_pem: &str,
    signature: &[u8],
) -> Result<(), TrustError> {
    let refused = |why: &str| Err(TrustError::NotAccepted(why.to_owned()));
    if !trusted.certificates().iter().any(|ca| expired.is_signed_by(ca)) {
        return refused("no CA of this cluster has issued it");
    }
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, expired.public_key());
    match key.verify(&message(csr_pem), signature) {
        Ok(()) => Ok(()),
        Err(_) => refused("the request is not signed by its key"),
    }
}

fn message(csr_pem: &str) -> Vec<u8> {
    let mut message = PURPOSE.to_vec();
    message.extend(Sha256::digest(csr_pem));
    message
}
