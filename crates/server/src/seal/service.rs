//! `skep.v1.Seal` of a server that runs.

use skep_api::proto::{SealStatus, SealStatusRequest, UnlockRequest, UnlockResponse, seal_server::Seal};
use skep_trust::Keys;
use tonic::{Request, Response, Status};

/// What a server that runs says of its key.
#[derive(Clone, Debug)]
pub(crate) struct SealService {
    guarded: bool,
    key_id: String,
}

impl SealService {
    pub(crate) fn new(keys: &Keys) -> Self {
        Self {
            guarded: keys.is_guarded(),
            key_id: keys.sealer().key_id(),
        }
    }
}

#[tonic::async_trait]
impl Seal for SealService {
    async fn status(&self, _: Request<SealStatusRequest>) -> Result<Response<SealStatus>, Status> {
        Ok(Response::new(SealStatus {
            waits: false,
            guarded: self.guarded,
            key_id: self.key_id.clone(),
        }))
    }

    async fn unlock(&self, _: Request<UnlockRequest>) -> Result<Response<UnlockResponse>, Status> {
        Err(Status::failed_precondition(
            "this server does not wait for a passphrase: it runs",
        ))
    }
}
