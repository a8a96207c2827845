//! The way from one server to another, which whoever opens a store provides.

use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;

use crate::Member;

/// No message between servers is larger than this, in either direction.
pub const PEER_MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What a message to another server travels with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    /// The log: these are to arrive in the order in which they were sent, or some of them are sent again.
    Log,
    /// Everything else: heartbeats among them, which must not wait behind a large message of either lane.
    Talk,
}

/// Carries messages to other servers; what is in them is the store's own business.
///
/// Many calls to the same server go on at once.
pub trait Transport: Send + Sync + 'static {
    /// Hands `request` to [`crate::Store::serve`] of the server `to` and returns its answer within `limit`.
    ///
    /// # Errors
    /// See [`TransportError`]; nothing is tried again here.
    fn call(
        &self,
        to: &Member,
        lane: Lane,
        request: Bytes,
        limit: Duration,
    ) -> BoxFuture<'static, Result<Bytes, TransportError>>;
}

/// Why there is no answer from another server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// The request was not delivered.
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    /// The request may have been delivered; there is no answer.
    #[error("does not answer: {0}")]
    Lost(String),
    /// The request may have been delivered; there was no answer in time.
    #[error("does not answer in time")]
    TimedOut,
}
