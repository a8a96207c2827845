//! The key that seals what this server writes to its disk, and the wait for its passphrase.

mod opener;
mod service;
mod wait;

use std::{
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
};

use skep_store::{Vault, VaultError};
use skep_trust::{KeyFile, Keys, SealError, Sealer};
use tokio_util::sync::CancellationToken;

pub use opener::{Opener, label_of};
pub(crate) use service::SealService;

use crate::{ServerConfig, ServerError, doors::Local};

/// The file of the key, beside the log and the snapshots.
const KEY_FILE: &str = "seal.key";

/// The keys of the server with this data folder are in this file.
pub fn key_file(data_dir: &std::path::Path) -> PathBuf {
    data_dir.join(KEY_FILE)
}

/// Seals with a machine's key, which may change.
pub(crate) struct KeyVault(RwLock<(Sealer, String)>);

impl KeyVault {
    fn of(sealer: Sealer, label: String) -> Arc<Self> {
        Arc::new(Self(RwLock::new((sealer, label))))
    }

    /// Seals with the newest of these keys from now on.
    fn change(&self, keys: &Keys) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = sealing(keys);
    }

    fn sealer(&self) -> Sealer {
        self.0.read().unwrap_or_else(PoisonError::into_inner).0.clone()
    }
}

/// What seals a store with these keys.
pub(crate) fn vault(keys: &Keys) -> Arc<KeyVault> {
    let (sealer, label) = sealing(keys);
    KeyVault::of(sealer, label)
}

fn sealing(keys: &Keys) -> (Sealer, String) {
    let sealer = keys.sealer();
    let label = format!("key {}", sealer.key_id());
    (sealer, label)
}

impl Vault for KeyVault {
    fn label(&self) -> String {
        self.0.read().unwrap_or_else(PoisonError::into_inner).1.clone()
    }

    fn seal(&self, place: &[u8], plain: &[u8]) -> Vec<u8> {
        self.sealer().seal(place, plain)
    }

    fn open(&self, place: &[u8], sealed: &[u8]) -> Result<Vec<u8>, VaultError> {
        self.sealer().open(place, sealed).map_err(|error| match error {
            SealError::OtherKey(id) => VaultError::NoKey(format!(
                "with key {id}, which is not at hand: restore the file {KEY_FILE} that held it"
            )),
            other => VaultError::Changed(other.to_string()),
        })
    }
}

/// The keys of a server that starts. Where a passphrase guards them, it serves nothing on its socket but
/// `skep server unlock` until it has them; `None` where it is told to end first.
pub(crate) async fn unlocked(
    config: &ServerConfig,
    local: &mut Local,
    shutdown: &CancellationToken,
) -> Result<Option<Keys>, ServerError> {
    match KeyFile::open(&key_file(&config.data_dir)).map_err(|error| failed(&error.into()))? {
        KeyFile::Open(keys) => Ok(Some(keys)),
        KeyFile::Locked(locked) => {
            tracing::warn!("a passphrase guards this server's key: it waits for `skep server unlock`");
            if let Some(tell) = &config.locked {
                tell.notify_one();
            }
            let keys = wait::for_passphrase(locked, local, shutdown).await?;
            if keys.is_some() {
                tracing::info!("unlocked");
            }
            Ok(keys)
        }
    }
}

/// What is wrong with the key, with its cause.
pub(crate) fn failed(error: &SealError) -> ServerError {
    let cause = std::error::Error::source(error).map_or(String::new(), |cause| format!(": {cause}"));
    ServerError::Trust(format!("{error}{cause}"))
}
