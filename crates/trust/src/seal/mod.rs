//! Sealing of what rests on disk, with a key that a passphrase can guard.

mod key_file;
mod passphrase;
mod sealer;

use zeroize::Zeroizing;

pub use key_file::{KeyFile, Keys, LockedKey};
pub use passphrase::PassphraseKey;
pub use sealer::Sealer;

use crate::TrustError;

const KEY_BYTES: usize = 32;

/// The key of a [`Sealer`].
type Key = [u8; KEY_BYTES];

/// Keys at rest in memory: overwritten when dropped.
type SecretKey = Zeroizing<Key>;

/// Why sealed bytes cannot be opened, or a key cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// They were sealed for another place, or were changed.
    #[error("sealed data cannot be opened: it was changed, or belongs elsewhere")]
    NotAuthentic,
    /// They were sealed with another key: its id.
    #[error("it was sealed with key {0}, which is not at hand")]
    OtherKey(String),
    /// They were sealed by a program newer than this one.
    #[error("sealed data is of version {0}, which this program does not know: use a newer one")]
    Version(u8),
    /// The passphrase is not the right one.
    #[error("the passphrase does not fit")]
    Passphrase,
    /// The passphrase is empty.
    #[error("the passphrase is empty")]
    Empty,
    /// No passphrase guards the key.
    #[error("no passphrase guards the key")]
    NotGuarded,
    /// There is no key yet.
    #[error("there is no key yet: it is made when the server first starts")]
    NoKey,
    /// The key was changed too often since what it seals was sealed anew.
    #[error("the key was changed {0} times since the server was last started: start it first")]
    TooManyKeys(usize),
    /// What should say how a passphrase guards a key does not.
    #[error("what guards the key cannot be read: {0}")]
    Guard(String),
    /// The file cannot be used.
    #[error(transparent)]
    File(#[from] TrustError),
}
