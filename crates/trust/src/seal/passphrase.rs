//! Keys that a passphrase guards: sealed with a key that Argon2id makes of it.

use std::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{KEY_BYTES, Key, SealError, Sealer, SecretKey};
use crate::random;

const SALT_BYTES: usize = 16;

/// What guessing a passphrase costs: 64 MiB and three passes, the second choice of RFC 9106.
const ARGON2_KIB: u32 = 64 * 1024;
const ARGON2_PASSES: u32 = 3;
const ARGON2_LANES: u32 = 4;

/// Bounds on what a file may ask for.
const ARGON2_KIB_MAX: u32 = 1024 * 1024;
const ARGON2_PASSES_MAX: u32 = 16;
const ARGON2_LANES_MAX: u32 = 16;

/// What keys are sealed for.
const CONTEXT: &[u8] = b"skep key file";

/// What a [`PassphraseKey::label`] begins with.
const LABEL: &str = "passphrase ";

/// Keys that are sealed with one that a passphrase makes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Guarded {
    salt: String,
    kib: u32,
    passes: u32,
    lanes: u32,
    sealed_keys: String,
}

/// What a passphrase makes, for a certain salt: seals keys, and nothing else.
#[derive(Debug)]
pub(super) struct Guard {
    sealer: Sealer,
    /// Without keys.
    like: Guarded,
}

impl Guard {
    /// For a new passphrase. Takes a part of a second and 64 MiB on purpose, as [`Guarded::guard`] does.
    pub(super) fn new(passphrase: &str) -> Result<Self, SealError> {
        if passphrase.is_empty() {
            return Err(SealError::Empty);
        }
        let salt = random::bytes::<SALT_BYTES>();
        let like = Guarded {
            salt: STANDARD.encode(salt),
            kib: ARGON2_KIB,
            passes: ARGON2_PASSES,
            lanes: ARGON2_LANES,
            sealed_keys: String::new(),
        };
        like.guard(passphrase)
    }

    /// Guards these keys.
    pub(super) fn seal(&self, keys: &[SecretKey]) -> Guarded {
        let plain = Zeroizing::new(
            keys.iter()
                .flat_map(|key| key.iter().copied())
                .collect::<Vec<u8>>(),
        );
        Guarded {
            sealed_keys: STANDARD.encode(self.sealer.seal(CONTEXT, &plain)),
            ..self.like.clone()
        }
    }
}

impl Guarded {
    /// What this passphrase makes, right or wrong.
    pub(super) fn guard(&self, passphrase: &str) -> Result<Guard, SealError> {
        let possible =
            self.kib <= ARGON2_KIB_MAX && self.passes <= ARGON2_PASSES_MAX && self.lanes <= ARGON2_LANES_MAX;
        if !possible {
            return Err(SealError::Guard("its costs are out of bounds".to_owned()));
        }
        let salt = STANDARD.decode(&self.salt).map_err(unreadable)?;
        let params = Params::new(self.kib, self.passes, self.lanes, Some(KEY_BYTES)).map_err(unreadable)?;
        let mut key: SecretKey = Zeroizing::new([0; KEY_BYTES]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.as_bytes(), &salt, &mut *key)
            .map_err(unreadable)?;
        Ok(Guard {
            sealer: Sealer::new(&key),
            like: Self {
                sealed_keys: String::new(),
                ..self.clone()
            },
        })
    }

    /// The keys, newest first.
    pub(super) fn open(&self, guard: &Guard) -> Result<Vec<SecretKey>, SealError> {
        let sealed = STANDARD.decode(&self.sealed_keys).map_err(unreadable)?;
        let opened = guard.sealer.open(CONTEXT, &sealed);
        let plain = Zeroizing::new(opened.map_err(|error| match error {
            // A wrong passphrase makes another key.
            SealError::NotAuthentic | SealError::OtherKey(_) => SealError::Passphrase,
            other => other,
        })?);
        let (keys, rest) = plain.as_chunks::<KEY_BYTES>();
        if keys.is_empty() || !rest.is_empty() {
            return Err(SealError::Guard("the keys have a wrong length".to_owned()));
        }
        Ok(keys.iter().map(|key| Zeroizing::new(*key)).collect())
    }
}

/// A key that is made for one thing, such as a file, and travels with it, guarded by a passphrase.
#[derive(Clone)]
pub struct PassphraseKey {
    sealer: Sealer,
    label: String,
}

impl PassphraseKey {
    /// A new key. Takes a part of a second and 64 MiB on purpose.
    ///
    /// # Errors
    /// Where the passphrase is empty.
    pub fn new(passphrase: &str) -> Result<Self, SealError> {
        let key: Key = random::bytes();
        let key = Zeroizing::new(key);
        let guarded = Guard::new(passphrase)?.seal(std::slice::from_ref(&key));
        let text = serde_json::to_string(&guarded).expect("what guards a key is plain JSON");
        Ok(Self {
            sealer: Sealer::new(&key),
            label: format!("{LABEL}{text}"),
        })
    }

    /// True where this says what [`PassphraseKey::open`] needs.
    pub fn is_label(label: &str) -> bool {
        label.starts_with(LABEL)
    }

    /// The key that travels in this label.
    ///
    /// # Errors
    /// Where the passphrase does not fit, or it is no such label.
    pub fn open(label: &str, passphrase: &str) -> Result<Self, SealError> {
        let text = label
            .strip_prefix(LABEL)
            .ok_or_else(|| SealError::Guard("it is not a passphrase".to_owned()))?;
        let guarded: Guarded = serde_json::from_str(text).map_err(unreadable)?;
        let keys = guarded.open(&guarded.guard(passphrase)?)?;
        Ok(Self {
            sealer: Sealer::new(&keys[0]),
            label: label.to_owned(),
        })
    }

    /// The guarded key, as text: to be kept with what it seals.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// What it seals with.
    pub fn sealer(&self) -> &Sealer {
        &self.sealer
    }
}

impl fmt::Debug for PassphraseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PassphraseKey({})", self.sealer.key_id())
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn unreadable(error: impl ToString) -> SealError {
    SealError::Guard(error.to_string())
}
