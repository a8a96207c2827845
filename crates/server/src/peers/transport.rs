//! Carries the store's messages between servers.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::future::BoxFuture;
use skep_api::proto::{PeerMessage, raft_client::RaftClient};
use skep_store::{Member, PEER_MESSAGE_BYTES_MAX, Transport, TransportError};

use super::{Channels, channels::NotConnected};

/// The largest message of the store, and what goes around it.
pub(crate) const MESSAGE_BYTES_MAX: usize = PEER_MESSAGE_BYTES_MAX + 1024;

/// Carries the store's messages over the line for consensus.
pub(crate) struct PeerTransport {
    own_id: u64,
    channels: Arc<Channels>,
}

impl PeerTransport {
    /// For the server with this number.
    pub(crate) fn new(own_id: u64, channels: Arc<Channels>) -> Self {
        Self { own_id, channels }
    }
}

impl Transport for PeerTransport {
    fn call(
        &self,
        to: &Member,
        request: Bytes,
        limit: Duration,
    ) -> BoxFuture<'static, Result<Bytes, TransportError>> {
        let channel = self.channels.consensus(&to.address);
        let message = PeerMessage {
            from: self.own_id,
            to: to.id,
            payload: request.into(),
        };
        Box::pin(async move {
            let mut client = RaftClient::new(channel.map_err(TransportError::Unreachable)?)
                .max_decoding_message_size(MESSAGE_BYTES_MAX)
                .max_encoding_message_size(MESSAGE_BYTES_MAX);
            let answer = tokio::time::timeout(limit, client.call(message)).await;
            let answer = answer.map_err(|_| TransportError::TimedOut)?;
            answer
                .map(|answer| answer.into_inner().payload.into())
                .map_err(|status| error(&status))
        })
    }
}

/// A connection that never stood carried nothing; of any other failure nobody knows how far the request came.
fn error(status: &tonic::Status) -> TransportError {
    let why = || status.message().to_owned();
    let mut causes = std::iter::successors(std::error::Error::source(status), |cause| cause.source());
    let connecting = causes.any(<dyn std::error::Error>::is::<NotConnected>);
    match status.code() {
        tonic::Code::PermissionDenied | tonic::Code::Unauthenticated | tonic::Code::NotFound => {
            TransportError::Unreachable(why())
        }
        _ if connecting => TransportError::Unreachable(why()),
        _ => TransportError::Lost(why()),
    }
}
