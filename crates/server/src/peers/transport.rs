//! Carries the store's messages between servers.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures::future::{BoxFuture, Either};
use skep_api::proto::{PeerMessage, raft_client::RaftClient};
use skep_store::{Lane, Member, PEER_MESSAGE_BYTES_MAX, Transport, TransportError};
use tonic::transport::Channel;

use super::{Channels, channels::NotConnected, conversation::Conversation};

/// The largest message of the store, and what goes around it.
pub(crate) const MESSAGE_BYTES_MAX: usize = PEER_MESSAGE_BYTES_MAX + 1024;

/// Larger messages go by themselves, so that the talk does not wait for them.
const TALK_BYTES_MAX: usize = 64 * 1024;

/// Servers that are talked with; there are never more than a handful.
const CONVERSATIONS_MAX: usize = 64;

/// Carries the store's messages over the line for consensus.
pub(crate) struct PeerTransport {
    own_id: u64,
    channels: Arc<Channels>,
    conversations: Mutex<HashMap<(u64, String, Lane), Conversation>>,
}

impl PeerTransport {
    /// For the server with this number.
    pub(crate) fn new(own_id: u64, channels: Arc<Channels>) -> Self {
        Self {
            own_id,
            channels,
            conversations: Mutex::default(),
        }
    }

    /// The conversation with a server on a lane; another one where there is none, or it has come to its end.
    fn conversation(&self, to: &Member, lane: Lane) -> Result<Conversation, TransportError> {
        let mut all = self.conversations.lock().unwrap_or_else(PoisonError::into_inner);
        let with = (to.id, to.address.clone(), lane);
        if let Some(conversation) = all.get(&with).filter(|present| present.goes_on()) {
            return Ok(conversation.clone());
        }
        if all.len() >= CONVERSATIONS_MAX {
            all.clear();
        }
        let channel = self.channels.consensus(&to.address);
        let conversation = Conversation::begin(channel.map_err(TransportError::Unreachable)?);
        all.insert(with, conversation.clone());
        Ok(conversation)
    }

    /// A message by itself.
    async fn alone(
        channel: Result<Channel, String>,
        message: PeerMessage,
    ) -> Result<Vec<u8>, TransportError> {
        let answer = client(channel.map_err(TransportError::Unreachable)?)
            .call(message)
            .await;
        answer
            .map(|answer| answer.into_inner().payload)
            .map_err(|status| error(&status))
    }
}

impl Transport for PeerTransport {
    fn call(
        &self,
        to: &Member,
        lane: Lane,
        request: Bytes,
        limit: Duration,
    ) -> BoxFuture<'static, Result<Bytes, TransportError>> {
        let message = PeerMessage {
            from: self.own_id,
            to: to.id,
            payload: request.into(),
            call: 0,
        };
        let asked = if lane == Lane::Log || message.payload.len() <= TALK_BYTES_MAX {
            let conversation = self.conversation(to, lane);
            Either::Left(async move { conversation?.call(message).await })
        } else {
            Either::Right(Self::alone(self.channels.consensus(&to.address), message))
        };
        Box::pin(async move {
            let answer = tokio::time::timeout(limit, asked).await;
            answer.map_err(|_| TransportError::TimedOut)?.map(Bytes::from)
        })
    }
}

pub(super) fn client(channel: Channel) -> RaftClient<Channel> {
    RaftClient::new(channel)
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX)
}

/// A connection that never stood carried nothing; of any other failure nobody knows how far the request came.
pub(super) fn error(status: &tonic::Status) -> TransportError {
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
