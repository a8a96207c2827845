//! Streams of logs and commands: the server asks for one over the session, and the agent opens it.

use std::{sync::Arc, time::Duration};

use skep_api::proto::{
    OpenTunnel, TunnelDown, TunnelError, TunnelUp, open_tunnel::Purpose, tunnel_up::Message as Up,
};
use tokio::{sync::mpsc, task::JoinSet};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use super::{connect::Client, exec, logs};
use crate::{shared::Shared, streams::Refusal};

/// Streams at the same time.
const TUNNELS_MAX: usize = 256;

/// How long the server may take to read the end of a stream.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// The streams that are open.
pub(super) struct Tunnels {
    shared: Arc<Shared>,
    client: Client,
    tasks: JoinSet<()>,
}

/// The agent's end of a stream.
pub(super) struct Tunnel {
    pub(super) shared: Arc<Shared>,
    pub(super) pod_uid: String,
    pub(super) up: mpsc::Sender<TunnelUp>,
    pub(super) down: Streaming<TunnelDown>,
}

impl Tunnels {
    pub(super) fn new(shared: Arc<Shared>, client: Client) -> Self {
        Self {
            shared,
            client,
            tasks: JoinSet::new(),
        }
    }

    /// Opens a stream that the server asks for.
    pub(super) fn open(&mut self, open: OpenTunnel) {
        let (shared, client) = (Arc::clone(&self.shared), self.client.clone());
        let full = self.tasks.len() >= TUNNELS_MAX;
        self.tasks.spawn(async move {
            if let Err(error) = serve(shared, client, open, full).await {
                tracing::debug!(%error, "a tunnel broke");
            }
        });
    }

    /// Waits for a stream to end; for ever where there is none.
    pub(super) async fn reap(&mut self) {
        if self.tasks.join_next().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

async fn serve(
    shared: Arc<Shared>,
    mut client: Client,
    open: OpenTunnel,
    full: bool,
) -> Result<(), tonic::Status> {
    let (up, messages) = mpsc::channel(16);
    let accept = TunnelUp {
        message: Some(Up::Accept(open.tunnel_id)),
    };
    let _ = up.send(accept).await;
    let down = client.tunnel(ReceiverStream::new(messages)).await?.into_inner();
    let mut tunnel = Tunnel {
        shared,
        pod_uid: open.pod_uid,
        up,
        down,
    };
    let served = match open.purpose {
        _ if full => Err(Refusal::new(
            "Internal",
            "the node has too many streams open; try again later",
        )),
        Some(Purpose::Logs(request)) => logs::serve(&mut tunnel, &request).await,
        Some(Purpose::Exec(start)) => exec::serve(&mut tunnel, start).await,
        None => Err(Refusal::new("BadRequest", "the stream has no purpose")),
    };
    if let Err(Refusal { reason, message }) = served {
        tunnel
            .send(Up::Error(TunnelError {
                reason: reason.to_owned(),
                message,
            }))
            .await;
    }
    tunnel.close().await;
    Ok(())
}

impl Tunnel {
    /// Sends a message; false where the other end has gone.
    pub(super) async fn send(&self, message: Up) -> bool {
        self.up
            .send(TunnelUp {
                message: Some(message),
            })
            .await
            .is_ok()
    }

    /// Ends the stream once the server has taken in all of it; to drop it at once could cut off what is on its way.
    async fn close(self) {
        let Self { up, mut down, .. } = self;
        drop(up);
        let drained = async { while let Ok(Some(_)) = down.message().await {} };
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, drained).await;
    }
}
