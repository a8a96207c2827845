//! Seals bytes with AES-256-GCM, each time with what no other bytes were sealed with.
//!
//! A key seals nothing itself. From it and a random salt comes the key of a session, which seals up to a million times; the
//! salt stands before what is sealed. Random nonces alone would not do: GCM bears 2^32 of them under one key, a few days of
//! a busy log. It is ring's, which TLS uses as well: docs/decisions/0006-sealed-at-rest.md has what was measured.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    hkdf::{HKDF_SHA256, Prk, Salt},
};

use super::{Key, SealError};
use crate::random;

const VERSION: u8 = 1;
const ID_BYTES: usize = 4;
const SALT_BYTES: usize = 16;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
const HEAD_BYTES: usize = 1 + ID_BYTES + SALT_BYTES + NONCE_BYTES;

/// A session seals this often; then comes a new one.
const SESSION_SEALS_MAX: u32 = 1 << 20;

/// Sessions of before that are kept for opening.
const SESSIONS_KEPT: usize = 64;

type SessionSalt = [u8; SALT_BYTES];

/// Seals bytes: who has not the key can neither read nor change them. Clones are handles to the same sealer.
#[derive(Clone)]
pub struct Sealer {
    shared: Arc<Shared>,
}

struct Shared {
    /// The first one seals; all of them open.
    keys: Vec<Root>,
    session: Mutex<Session>,
    opened: Mutex<VecDeque<Opened>>,
}

struct Root {
    id: [u8; ID_BYTES],
    prk: Prk,
}

struct Session {
    salt: SessionSalt,
    key: Arc<LessSafeKey>,
    seals: u32,
}

struct Opened {
    id: [u8; ID_BYTES],
    salt: SessionSalt,
    key: Arc<LessSafeKey>,
}

impl Sealer {
    /// What [`Sealer::seal`] adds.
    pub const OVERHEAD_BYTES: usize = HEAD_BYTES + TAG_BYTES;

    /// Seals and opens with this key.
    pub fn new(key: &Key) -> Self {
        Self::with_old(key, std::iter::empty())
    }

    /// Seals with a key, and opens what was sealed with it or with one of before.
    pub(super) fn with_old<'a>(key: &Key, old: impl Iterator<Item = &'a Key>) -> Self {
        let root = Root::new(key);
        let session = Mutex::new(root.session());
        let keys = std::iter::once(root).chain(old.map(Root::new)).collect();
        let shared = Shared {
            keys,
            session,
            opened: Mutex::default(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Names the key that seals, as 8 hexadecimal digits; tells nothing of it.
    pub fn key_id(&self) -> String {
        hex(self.shared.keys[0].id)
    }

    /// Whether it opens what the key of this name sealed.
    pub fn knows(&self, key_id: &str) -> bool {
        self.shared.keys.iter().any(|root| hex(root.id) == key_id)
    }

    /// Seals bytes for one place: `context` names it (such as a key in a database) and must be given to open them.
    /// The result is longer by [`Sealer::OVERHEAD_BYTES`].
    pub fn seal(&self, context: &[u8], plain: &[u8]) -> Vec<u8> {
        let root = &self.shared.keys[0];
        let (salt, key, nonce) = self.shared.next_nonce();
        let mut sealed = Vec::with_capacity(plain.len() + Self::OVERHEAD_BYTES);
        sealed.push(VERSION);
        sealed.extend(root.id);
        sealed.extend(salt);
        sealed.extend(nonce);
        sealed.extend_from_slice(plain);
        let text = &mut sealed[HEAD_BYTES..];
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = key
            .seal_in_place_separate_tag(nonce, Aad::from(context), text)
            .expect("memory holds no text that is too long for the cipher");
        sealed.extend_from_slice(tag.as_ref());
        sealed
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
        let (id, rest) = rest.split_first_chunk().ok_or(SealError::NotAuthentic)?;
        let (salt, rest) = rest.split_first_chunk().ok_or(SealError::NotAuthentic)?;
        let (nonce, text) = rest.split_first_chunk().ok_or(SealError::NotAuthentic)?;
        let key = self.shared.key_of(*id, *salt)?;
        let mut plain = text.to_vec();
        let opened = key
            .open_in_place(
                Nonce::assume_unique_for_key(*nonce),
                Aad::from(context),
                &mut plain,
            )
            .map_err(|_| SealError::NotAuthentic)?;
        let len = opened.len();
        plain.truncate(len);
        Ok(plain)
    }
}

impl Shared {
    /// A nonce is the session's count, which makes it unlike all others, and the time: a machine that was copied while it
    /// ran does not repeat itself.
    fn next_nonce(&self) -> (SessionSalt, Arc<LessSafeKey>, [u8; NONCE_BYTES]) {
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut session = lock(&self.session);
        if session.seals == SESSION_SEALS_MAX {
            *session = self.keys[0].session();
        }
        session.seals += 1;
        let mut nonce = [0; NONCE_BYTES];
        nonce[..4].copy_from_slice(&session.seals.to_be_bytes());
        nonce[4..].copy_from_slice(&nanoseconds(time).to_be_bytes());
        (session.salt, session.key.clone(), nonce)
    }

    fn key_of(&self, id: [u8; ID_BYTES], salt: SessionSalt) -> Result<Arc<LessSafeKey>, SealError> {
        let mut opened = lock(&self.opened);
        if let Some(known) = opened.iter().find(|known| known.id == id && known.salt == salt) {
            return Ok(known.key.clone());
        }
        let root = self.keys.iter().find(|root| root.id == id);
        let key = Arc::new(root.ok_or(SealError::OtherKey(hex(id)))?.key(&salt));
        if opened.len() == SESSIONS_KEPT {
            opened.pop_front();
        }
        opened.push_back(Opened {
            id,
            salt,
            key: key.clone(),
        });
        Ok(key)
    }
}

impl Root {
    fn new(key: &Key) -> Self {
        let prk = Salt::new(HKDF_SHA256, b"skep seal").extract(key);
        let mut id = [0; ID_BYTES];
        let named = prk.expand(&[b"id"], HKDF_SHA256).and_then(|okm| {
            let mut bytes = [0; 32];
            okm.fill(&mut bytes)?;
            id.copy_from_slice(&bytes[..ID_BYTES]);
            Ok(())
        });
        named.expect("32 bytes are what SHA-256 gives");
        Self { id, prk }
    }

    fn session(&self) -> Session {
        let salt = random::bytes();
        Session {
            salt,
            key: Arc::new(self.key(&salt)),
            seals: 0,
        }
    }

    /// The key of the session with this salt.
    fn key(&self, salt: &SessionSalt) -> LessSafeKey {
        let info: [&[u8]; 2] = [b"session", salt];
        let okm = self.prk.expand(&info, &AES_256_GCM);
        LessSafeKey::new(UnboundKey::from(okm.expect("a key has 32 bytes")))
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealer({})", self.key_id())
    }
}

fn nanoseconds(time: std::time::Duration) -> u64 {
    time.as_secs()
        .wrapping_mul(1_000_000_000)
        .wrapping_add(u64::from(time.subsec_nanos()))
}

fn hex(id: [u8; ID_BYTES]) -> String {
    format!("{:08x}", u32::from_be_bytes(id))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
