//! The file that holds a machine's keys, guarded by a passphrase or not.
//!
//! There is one key, and those of before until nothing is sealed with them any more.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{
    Key, SealError, Sealer, SecretKey,
    passphrase::{Guard, Guarded},
};
use crate::{TrustError, files, random};

/// As many keys as may wait in a file.
const KEYS_MAX: usize = 8;

/// The keys in a file of mode 0600.
#[derive(Debug)]
pub enum KeyFile {
    /// They are at hand.
    Open(Keys),
    /// A passphrase guards them.
    Locked(LockedKey),
}

/// Keys that are at hand.
pub struct Keys {
    path: PathBuf,
    /// Newest first; never empty.
    keys: Vec<SecretKey>,
    /// What seals them in their file.
    guard: Option<Guard>,
    /// The file as it was read.
    file: Zeroizing<Vec<u8>>,
}

/// Keys that wait for their passphrase.
#[derive(Debug)]
pub struct LockedKey {
    path: PathBuf,
    guarded: Guarded,
    file: Zeroizing<Vec<u8>>,
}

/// What stands in the file (JSON).
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Stored {
    /// In base64, newest first.
    Keys(Vec<Zeroizing<String>>),
    Guarded(Guarded),
}

impl KeyFile {
    /// The keys in this file; a new one, not guarded, where there is no file yet.
    ///
    /// # Errors
    /// Where the file cannot be read or written, or holds no key.
    pub fn open(path: &Path) -> Result<Self, TrustError> {
        if let Some(found) = Self::find(path)? {
            return Ok(found);
        }
        let key: SecretKey = Zeroizing::new(random::bytes());
        write(path, None, &[key])?;
        let made = Self::find(path)?;
        Ok(made.expect("the file was written just now"))
    }

    /// The keys in this file; `None` where there is no file yet.
    ///
    /// # Errors
    /// Where the file cannot be read, or holds no key.
    pub fn find(path: &Path) -> Result<Option<Self>, TrustError> {
        let Some(file) = files::read(path)?.map(Zeroizing::new) else {
            return Ok(None);
        };
        let stored = serde_json::from_slice(&file).map_err(|error| broken(path, &error.to_string()))?;
        let path = path.to_owned();
        match stored {
            Stored::Keys(texts) => {
                let keys = texts
                    .iter()
                    .map(|text| key_in(&path, text))
                    .collect::<Result<Vec<_>, _>>()?;
                if keys.is_empty() {
                    return Err(broken(&path, "it holds no key"));
                }
                Ok(Some(Self::Open(Keys {
                    path,
                    keys,
                    guard: None,
                    file,
                })))
            }
            Stored::Guarded(guarded) => Ok(Some(Self::Locked(LockedKey { path, guarded, file }))),
        }
    }

    /// True where a passphrase guards the keys.
    pub fn is_locked(&self) -> bool {
        matches!(self, Self::Locked(_))
    }

    /// The keys; `passphrase` counts where one guards them.
    ///
    /// # Errors
    /// Where it is missing or does not fit.
    pub fn unlock(self, passphrase: Option<&str>) -> Result<Keys, SealError> {
        match self {
            Self::Open(keys) => Ok(keys),
            Self::Locked(locked) => locked.unlock(passphrase.ok_or(SealError::Passphrase)?),
        }
    }
}

impl LockedKey {
    /// Opens the keys. Takes a part of a second and 64 MiB on purpose.
    ///
    /// # Errors
    /// Where the passphrase does not fit.
    pub fn unlock(&self, passphrase: &str) -> Result<Keys, SealError> {
        let guard = self.guarded.guard(passphrase)?;
        Ok(Keys {
            path: self.path.clone(),
            keys: self.guarded.open(&guard)?,
            guard: Some(guard),
            file: self.file.clone(),
        })
    }
}

impl Keys {
    /// Seals with the newest key, opens with all of them.
    pub fn sealer(&self) -> Sealer {
        let mut keys = self.keys.iter().map(|key| &**key);
        let newest = keys.next().expect("there is always a key");
        Sealer::with_old(newest, keys)
    }

    /// How many keys of before are kept.
    pub fn old(&self) -> usize {
        self.keys.len() - 1
    }

    /// True where a passphrase guards them.
    pub fn is_guarded(&self) -> bool {
        self.guard.is_some()
    }

    /// Guards the keys with this passphrase, from the next start on.
    ///
    /// # Errors
    /// Where it is empty, or the file cannot be written.
    pub fn set_passphrase(&mut self, passphrase: &str) -> Result<(), SealError> {
        self.guard = Some(Guard::new(passphrase)?);
        self.store()
    }

    /// Lets the keys lie in their file unguarded.
    ///
    /// # Errors
    /// Where no passphrase guards them, or the file cannot be written.
    pub fn remove_passphrase(&mut self) -> Result<(), SealError> {
        self.guard.take().ok_or(SealError::NotGuarded)?;
        self.store()
    }

    /// Adds a new key. What was sealed with those of before can still be opened, until [`Keys::forget_old`].
    ///
    /// # Errors
    /// Where too many wait already, or the file cannot be written.
    pub fn rotate(&mut self) -> Result<(), SealError> {
        if self.keys.len() == KEYS_MAX {
            return Err(SealError::TooManyKeys(KEYS_MAX - 1));
        }
        self.keys.insert(0, Zeroizing::new(random::bytes()));
        self.store()
    }

    /// Nothing is sealed with the keys of before any more: they go. Where the file has changed since it was read, they
    /// stay until the next time.
    ///
    /// # Errors
    /// Where the file cannot be read or written.
    pub fn forget_old(&mut self) -> Result<(), SealError> {
        if self.old() == 0 || files::read(&self.path)?.map(Zeroizing::new).as_ref() != Some(&self.file) {
            return Ok(());
        }
        self.keys.truncate(1);
        self.store()
    }

    fn store(&mut self) -> Result<(), SealError> {
        self.file = write(&self.path, self.guard.as_ref(), &self.keys)?;
        Ok(())
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({} in {})", self.keys.len(), self.path.display())
    }
}

/// What was written.
fn write(path: &Path, guard: Option<&Guard>, keys: &[SecretKey]) -> Result<Zeroizing<Vec<u8>>, TrustError> {
    let stored = match guard {
        Some(guard) => Stored::Guarded(guard.seal(keys)),
        None => Stored::Keys(
            keys.iter()
                .map(|key| Zeroizing::new(STANDARD.encode(**key)))
                .collect(),
        ),
    };
    let text = Zeroizing::new(serde_json::to_vec(&stored).expect("a key file is plain JSON"));
    files::write_private(path, &text)?;
    Ok(text)
}

fn key_in(path: &Path, text: &str) -> Result<SecretKey, TrustError> {
    let bytes = STANDARD.decode(text).map(Zeroizing::new);
    let key = bytes.ok().and_then(|bytes| Key::try_from(bytes.as_slice()).ok());
    key.map(Zeroizing::new)
        .ok_or_else(|| broken(path, "a key is not 32 bytes in base64"))
}

fn broken(path: &Path, why: &str) -> TrustError {
    TrustError::File {
        path: path.to_owned(),
        source: io::Error::new(io::ErrorKind::InvalidData, why),
    }
}
