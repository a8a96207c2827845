//! A server that waits for the passphrase of its key. Wrong ones make it wait longer each time.

use std::{convert::Infallible, future::Ready, marker::PhantomData, sync::Arc, task, time::Duration};

use skep_api::proto::{
    ReloadRequest, ReloadResponse, SealStatus, SealStatusRequest, UnlockRequest, UnlockResponse,
    cluster_server::ClusterServer, members_server::MembersServer, node_server::NodeServer, seal_server::Seal,
    seal_server::SealServer, trust_server::TrustServer,
};
use skep_trust::{Keys, LockedKey, SealError};
use tokio::{
    sync::{Mutex, mpsc},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, server::NamedService, service::Routes};

use crate::{
    ServerError,
    doors::{self, Local},
    join::TrustService,
    members::MembersService,
    services::{ClusterService, NodeService},
};

/// After the first wrong passphrase, and doubled by each that follows.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);

const WAITS: &str = "this server waits to be unlocked: run `skep server unlock` on its machine";

/// Serves `skep server unlock` until the passphrase is there; `None` where the server is told to end first.
pub(super) async fn for_passphrase(
    locked: LockedKey,
    local: &mut Local,
    shutdown: &CancellationToken,
) -> Result<Option<Keys>, ServerError> {
    let (sender, mut receiver) = mpsc::channel(1);
    let waiting = Waiting {
        locked: Arc::new(locked),
        gate: Arc::default(),
        unlocked: sender,
    };
    let routes = Routes::new(SealServer::new(waiting))
        .add_service(Closed::<ClusterServer<ClusterService>>::default())
        .add_service(Closed::<NodeServer<NodeService>>::default())
        .add_service(Closed::<MembersServer<MembersService>>::default())
        .add_service(Closed::<TrustServer<TrustService>>::default());
    let mut keys = None;
    let until = async {
        tokio::select! {
            unlocked = receiver.recv() => keys = unlocked,
            () = shutdown.cancelled() => {}
        }
    };
    let served = doors::serve_local_until(local, routes, until).await;
    served.map_err(|error| ServerError::Part {
        part: "the Unix socket",
        why: error.to_string(),
    })?;
    Ok(keys)
}

#[derive(Clone)]
struct Waiting {
    locked: Arc<LockedKey>,
    gate: Arc<Mutex<Gate>>,
    unlocked: mpsc::Sender<Keys>,
}

/// When the next passphrase may be tried. Held while one is: they are tried one after the other.
#[derive(Default)]
struct Gate {
    wrong: u32,
    not_before: Option<Instant>,
}

impl Gate {
    /// How long nothing is tried yet.
    fn pause(&self) -> Option<Duration> {
        let left = self.not_before?.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }

    /// How long nothing is tried after another wrong passphrase.
    fn close(&mut self) -> Duration {
        let pause = PAUSE_MIN.saturating_mul(1 << self.wrong.min(16)).min(PAUSE_MAX);
        self.wrong = self.wrong.saturating_add(1);
        self.not_before = Some(Instant::now() + pause);
        pause
    }
}

#[tonic::async_trait]
impl Seal for Waiting {
    async fn status(&self, _: Request<SealStatusRequest>) -> Result<Response<SealStatus>, Status> {
        Ok(Response::new(SealStatus {
            waits: true,
            guarded: true,
            key_id: String::new(),
        }))
    }

    async fn reload(&self, _: Request<ReloadRequest>) -> Result<Response<ReloadResponse>, Status> {
        Err(Status::failed_precondition(WAITS))
    }

    async fn unlock(&self, request: Request<UnlockRequest>) -> Result<Response<UnlockResponse>, Status> {
        let mut gate = self.gate.lock().await;
        if let Some(pause) = gate.pause() {
            let seconds = pause.as_secs() + 1;
            return Err(Status::resource_exhausted(format!(
                "the last passphrase did not fit: try again in {seconds} s"
            )));
        }
        let (locked, passphrase) = (self.locked.clone(), request.into_inner().passphrase);
        let unlocked = tokio::task::spawn_blocking(move || locked.unlock(&passphrase)).await;
        match unlocked.map_err(|error| Status::internal(error.to_string()))? {
            Ok(keys) => {
                // Where it is full, another call has brought the keys already.
                drop(self.unlocked.try_send(keys));
                Ok(Response::new(UnlockResponse {}))
            }
            Err(SealError::Passphrase) => {
                let pause = gate.close();
                tracing::warn!(wrong = gate.wrong, "a passphrase did not fit");
                Err(Status::permission_denied(format!(
                    "the passphrase does not fit; the next one is tried in {} s at the earliest",
                    pause.as_secs()
                )))
            }
            Err(error) => Err(Status::failed_precondition(error.to_string())),
        }
    }
}

/// Stands in for a service that waits as well.
struct Closed<S>(PhantomData<fn() -> S>);

impl<S> Default for Closed<S> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<S> Clone for Closed<S> {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl<S: NamedService> NamedService for Closed<S> {
    const NAME: &'static str = S::NAME;
}

impl<S, B> tower::Service<http::Request<B>> for Closed<S> {
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut task::Context<'_>) -> task::Poll<Result<(), Infallible>> {
        task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Request<B>) -> Self::Future {
        std::future::ready(Ok(Status::unavailable(WAITS).into_http()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn wrong_passphrases_make_it_wait_longer_each_time() {
        let mut gate = Gate::default();
        assert_eq!(gate.pause(), None);
        let pauses: Vec<u64> = (0..8).map(|_| gate.close().as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(gate.pause(), Some(PAUSE_MAX));
        tokio::time::advance(PAUSE_MAX).await;
        assert_eq!(gate.pause(), None);
    }
}
