//! Sealing of what rests on disk, with a key that a passphrase can guard.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use argon2::{Algorithm, Argon2, Params, Version};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead, KeyInit, Payload},
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{TrustError, files, random};

const VERSION: u8 = 1;
const NONCE_BYTES: usize = 24;
const KEY_BYTES: usize = 32;
const SALT_BYTES: usize = 16;

/// What guessing a passphrase costs: 64 MiB and three passes, the second choice of RFC 9106.
const ARGON2_KIB: u32 = 64 * 1024;
const ARGON2_PASSES: u32 = 3;
const ARGON2_LANES: u32 = 4;

/// Bounds on what a key file may ask for.
const ARGON2_KIB_MAX: u32 = 1024 * 1024;
const ARGON2_PASSES_MAX: u32 = 16;
const ARGON2_LANES_MAX: u32 = 16;

const KEY_CONTEXT: &[u8] = b"skep key file";

/// Seals bytes (XChaCha20-Poly1305 with random nonces): who has not the key can neither read nor change them.
#[derive(Clone)]
pub struct Sealer {
    cipher: XChaCha20Poly1305,
}

/// Why sealed bytes cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// They were sealed with another key or for another place, or were changed.
    #[error("sealed data cannot be opened: it is damaged, or was sealed with another key")]
    NotAuthentic,
    /// They were sealed by a program newer than this one.
    #[error("sealed data is of version {0}, which this program does not know: use a newer one")]
    Version(u8),
    /// The passphrase is not the right one.
    #[error("the passphrase does not fit")]
    Passphrase,
    /// The passphrase is empty.
    #[error("the passphrase is empty")]
    Empty,
    /// The file cannot be used.
    #[error(transparent)]
    File(#[from] TrustError),
}

impl Sealer {
    /// Seals with this key.
    pub fn new(key: &[u8; KEY_BYTES]) -> Self {
        Self {
            cipher: XChaCha20Poly1305::new(key.into()),
        }
    }

    /// Seals bytes for one place: `context` names it (such as a key in a database) and must be given to open them.
    /// The result is 41 bytes longer.
    pub fn seal(&self, context: &[u8], plain: &[u8]) -> Vec<u8> {
        let nonce = random::bytes::<NONCE_BYTES>();
        let payload = Payload {
            msg: plain,
            aad: context,
        };
        let text = self
            .cipher
            .encrypt(&XNonce::from(nonce), payload)
            .expect("memory holds no text that is too long for the cipher");
        [&[VERSION][..], &nonce, &text].concat()
    }

    /// Opens what [`Sealer::seal`] made for the same context.
    ///
    /// # Errors
    /// Where it was not sealed with this key for this context, or was changed.
    pub fn open(&self, context: &[u8], sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let (&version, rest) = sealed.split_first().ok_or(SealError::NotAuthentic)?;
        if version != VERSION {
            return Err(SealError::Version(version));
        }
        let (nonce, text) = rest
            .split_first_chunk::<NONCE_BYTES>()
            .ok_or(SealError::NotAuthentic)?;
        let payload = Payload {
            msg: text,
            aad: context,
        };
        self.cipher
            .decrypt(&XNonce::from(*nonce), payload)
            .map_err(|_| SealError::NotAuthentic)
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer(..)")
    }
}

/// The key of a [`Sealer`], in a file of mode 0600.
#[derive(Debug)]
pub enum KeyFile {
    /// The key is at hand.
    Open(Sealer),
    /// A passphrase guards it.
    Locked(LockedKey),
}

/// A key that waits for its passphrase.
#[derive(Debug)]
pub struct LockedKey {
    path: PathBuf,
    lock: Lock,
}

/// What stands in the file (JSON).
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Stored {
    /// The key, in base64.
    Key(Zeroizing<String>),
    Lock(Lock),
}

/// A key sealed with a key made from a passphrase (Argon2id).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Lock {
    salt: String,
    kib: u32,
    passes: u32,
    lanes: u32,
    sealed_key: String,
}

impl KeyFile {
    /// The key in this file; a new one, not guarded, where there is no file yet.
    ///
    /// # Errors
    /// Where the file cannot be read or written, or holds no key.
    pub fn open(path: &Path) -> Result<Self, TrustError> {
        let Some(bytes) = files::read(path)?.map(Zeroizing::new) else {
            let key = Zeroizing::new(random::bytes::<KEY_BYTES>());
            store_key(path, &key)?;
            return Ok(Self::Open(Sealer::new(&key)));
        };
        let stored = serde_json::from_slice(&bytes).map_err(|error| broken(path, &error.to_string()))?;
        match stored {
            Stored::Key(text) => Ok(Self::Open(Sealer::new(&*key_in(path, &text)?))),
            Stored::Lock(lock) => Ok(Self::Locked(LockedKey {
                path: path.to_owned(),
                lock,
            })),
        }
    }

    /// Guards the key in this file with a passphrase, from the next start on. `old` is the passphrase that guards it now.
    ///
    /// # Errors
    /// Where `new` is empty, `old` does not fit or is missing, or the file cannot be written.
    pub fn set_passphrase(path: &Path, old: Option<&str>, new: &str) -> Result<(), SealError> {
        if new.is_empty() {
            return Err(SealError::Empty);
        }
        let key = current_key(path, old)?;
        let salt = random::bytes::<SALT_BYTES>();
        let mut lock = Lock {
            salt: STANDARD.encode(salt),
            kib: ARGON2_KIB,
            passes: ARGON2_PASSES,
            lanes: ARGON2_LANES,
            sealed_key: String::new(),
        };
        let guard = lock.guard(path, new)?;
        lock.sealed_key = STANDARD.encode(guard.seal(KEY_CONTEXT, &*key));
        Ok(write(path, &Stored::Lock(lock))?)
    }

    /// Takes the passphrase away: the key lies in its file unguarded from now on.
    ///
    /// # Errors
    /// Where the passphrase does not fit, or the file cannot be written.
    pub fn remove_passphrase(path: &Path, passphrase: &str) -> Result<(), SealError> {
        let key = current_key(path, Some(passphrase))?;
        Ok(store_key(path, &key)?)
    }
}

impl LockedKey {
    /// Opens the key. Takes a part of a second and 64 MiB on purpose.
    ///
    /// # Errors
    /// Where the passphrase does not fit.
    pub fn unlock(&self, passphrase: &str) -> Result<Sealer, SealError> {
        Ok(Sealer::new(&*self.key(passphrase)?))
    }

    fn key(&self, passphrase: &str) -> Result<Zeroizing<[u8; KEY_BYTES]>, SealError> {
        let sealed = STANDARD
            .decode(&self.lock.sealed_key)
            .map_err(|error| broken(&self.path, &error.to_string()))?;
        let guard = self.lock.guard(&self.path, passphrase)?;
        let key = guard.open(KEY_CONTEXT, &sealed).map_err(|error| match error {
            SealError::NotAuthentic => SealError::Passphrase,
            other => other,
        })?;
        let key = Zeroizing::new(key);
        let key: [u8; KEY_BYTES] = key
            .as_slice()
            .try_into()
            .map_err(|_| broken(&self.path, "the key has a wrong length"))?;
        Ok(Zeroizing::new(key))
    }
}

impl Lock {
    /// The sealer that a passphrase makes.
    fn guard(&self, path: &Path, passphrase: &str) -> Result<Sealer, TrustError> {
        let possible =
            self.kib <= ARGON2_KIB_MAX && self.passes <= ARGON2_PASSES_MAX && self.lanes <= ARGON2_LANES_MAX;
        if !possible {
            return Err(broken(path, "its costs are out of bounds"));
        }
        let salt = STANDARD
            .decode(&self.salt)
            .map_err(|error| broken(path, &error.to_string()))?;
        let params = Params::new(self.kib, self.passes, self.lanes, Some(KEY_BYTES))
            .map_err(|error| broken(path, &error.to_string()))?;
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.as_bytes(), &salt, &mut *key)
            .map_err(|error| broken(path, &error.to_string()))?;
        Ok(Sealer::new(&key))
    }
}

fn current_key(path: &Path, passphrase: Option<&str>) -> Result<Zeroizing<[u8; KEY_BYTES]>, SealError> {
    let bytes = files::read(path)?.ok_or_else(|| broken(path, "there is no key yet"))?;
    let bytes = Zeroizing::new(bytes);
    match serde_json::from_slice(&bytes).map_err(|error| broken(path, &error.to_string()))? {
        Stored::Key(text) => Ok(key_in(path, &text)?),
        Stored::Lock(lock) => LockedKey {
            path: path.to_owned(),
            lock,
        }
        .key(passphrase.ok_or(SealError::Passphrase)?),
    }
}

fn key_in(path: &Path, text: &str) -> Result<Zeroizing<[u8; KEY_BYTES]>, TrustError> {
    let bytes = STANDARD.decode(text).map(Zeroizing::new);
    let key = bytes
        .ok()
        .and_then(|bytes| <[u8; KEY_BYTES]>::try_from(bytes.as_slice()).ok());
    key.map(Zeroizing::new)
        .ok_or_else(|| broken(path, "the key is not 32 bytes in base64"))
}

fn store_key(path: &Path, key: &[u8; KEY_BYTES]) -> Result<(), TrustError> {
    write(path, &Stored::Key(Zeroizing::new(STANDARD.encode(key))))
}

fn write(path: &Path, stored: &Stored) -> Result<(), TrustError> {
    let text = serde_json::to_vec(stored).expect("a key file is plain JSON");
    files::write_private(path, &Zeroizing::new(text))
}

fn broken(path: &Path, why: &str) -> TrustError {
    TrustError::File {
        path: path.to_owned(),
        source: io::Error::new(io::ErrorKind::InvalidData, why),
    }
}
