//! Seals values with the node's key, each under the name it is kept by, so that none can stand in for another.

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};

use super::key::Key;

/// Long enough for random ones never to meet.
pub(super) const NONCE_BYTES: usize = 24;

/// What sealing adds besides the nonce.
pub(super) const TAG_BYTES: usize = 16;

/// Seals and opens values.
pub(super) struct Cipher(XChaCha20Poly1305);

impl Cipher {
    pub(super) fn new(key: &Key) -> Self {
        Self(XChaCha20Poly1305::new(key.into()))
    }

    /// The nonce, then what only the key opens.
    pub(super) fn seal(&self, name: &[u8], plain: &[u8]) -> Vec<u8> {
        let nonce: [u8; NONCE_BYTES] = rand::random();
        let payload = Payload {
            msg: plain,
            aad: name,
        };
        let sealed = self.0.encrypt(&XNonce::from(nonce), payload);
        let mut value = nonce.to_vec();
        value.extend(sealed.expect("a value is far shorter than what the cipher can take"));
        value
    }

    /// What was sealed under this name; `None` for anything else.
    pub(super) fn open(&self, name: &[u8], value: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = value.split_first_chunk::<NONCE_BYTES>()?;
        let payload = Payload {
            msg: sealed,
            aad: name,
        };
        self.0.decrypt(&XNonce::from(*nonce), payload).ok()
    }
}
