//! `skep.v1.Seal` of a server that runs.

use std::sync::{Arc, PoisonError, RwLock};

use skep_api::proto::{
    ReloadRequest, ReloadResponse, SealStatus, SealStatusRequest, UnlockRequest, UnlockResponse,
    seal_server::Seal,
};
use skep_trust::{KeyFile, Keys, SealError};
use tokio::sync::Mutex;
use tonic::{Request, Response, Status};

use super::{KeyVault, failed, key_file};
use crate::core::Core;

/// What a server that runs says of its key, and does where it changes.
#[derive(Clone)]
pub(crate) struct SealService {
    core: Arc<Core>,
    vault: Arc<KeyVault>,
    path: std::path::PathBuf,
    /// By a passphrase, as far as this server knows.
    guarded: Arc<RwLock<bool>>,
    /// Held while the key changes.
    changing: Arc<Mutex<()>>,
}

impl SealService {
    pub(crate) fn new(
        core: &Arc<Core>,
        vault: &Arc<KeyVault>,
        data_dir: &std::path::Path,
        keys: &Keys,
    ) -> Self {
        Self {
            core: core.clone(),
            vault: vault.clone(),
            path: key_file(data_dir),
            guarded: Arc::new(RwLock::new(keys.is_guarded())),
            changing: Arc::default(),
        }
    }

    /// The keys as they stand in their file now, that of before among them.
    async fn keys(&self, passphrase: String) -> Result<Keys, Status> {
        let path = self.path.clone();
        let read = move || {
            let file = KeyFile::find(&path)?.ok_or(SealError::NoKey)?;
            file.unlock(Some(&passphrase))
        };
        let keys = tokio::task::spawn_blocking(read).await;
        let keys = keys
            .map_err(|error| Status::internal(error.to_string()))?
            .map_err(|error| Status::failed_precondition(failed(&error).to_string()))?;
        if keys.sealer().knows(&self.vault.sealer().key_id()) {
            Ok(keys)
        } else {
            Err(Status::failed_precondition(format!(
                "{} lacks key {}, which this server seals with: restore the file",
                self.path.display(),
                self.vault.sealer().key_id()
            )))
        }
    }
}

#[tonic::async_trait]
impl Seal for SealService {
    async fn status(&self, _: Request<SealStatusRequest>) -> Result<Response<SealStatus>, Status> {
        Ok(Response::new(SealStatus {
            waits: false,
            guarded: *self.guarded.read().unwrap_or_else(PoisonError::into_inner),
            key_id: self.vault.sealer().key_id(),
        }))
    }

    async fn unlock(&self, _: Request<UnlockRequest>) -> Result<Response<UnlockResponse>, Status> {
        Err(Status::failed_precondition(
            "this server does not wait for a passphrase: it runs",
        ))
    }

    async fn reload(&self, request: Request<ReloadRequest>) -> Result<Response<ReloadResponse>, Status> {
        let _changing = self.changing.lock().await;
        let not_yet = self
            .core
            .home
            .as_ref()
            .is_some_and(|home| !matches!(home.new_ca(), Ok(None)));
        if not_yet {
            return Err(Status::failed_precondition(
                "this server is still starting: try again in a moment",
            ));
        }
        let mut keys = self.keys(request.into_inner().passphrase).await?;
        let key_id = keys.sealer().key_id();
        self.vault.change(&keys);
        *self.guarded.write().unwrap_or_else(PoisonError::into_inner) = keys.is_guarded();
        let still_there = match self.core.store.reseal().await {
            Ok(()) => {
                let forgotten = tokio::task::spawn_blocking(move || keys.forget_old()).await;
                let forgotten = forgotten.map_err(|error| Status::internal(error.to_string()))?;
                forgotten.err().map(|error| failed(&error).to_string())
            }
            Err(error) => Some(error.to_string()),
        };
        match &still_there {
            None => tracing::info!(
                key = key_id,
                "everything is sealed with the key that is in the file now"
            ),
            Some(why) => tracing::warn!(key = key_id, why, "keys of before are still needed"),
        }
        Ok(Response::new(ReloadResponse {
            key_id,
            still_there: still_there.unwrap_or_default(),
        }))
    }
}
