//! The other servers of the cluster: how they are reached, and what is asked of each other.

mod channels;
mod consensus;
mod conversation;
mod enter;
mod forward;
mod service;
mod touch;
mod transport;

pub(crate) use channels::Channels;
pub(crate) use consensus::RaftService;
pub(crate) use enter::{VOTERS_MAX, knock, replaced_by};
pub(crate) use forward::{exec_elsewhere, logs_elsewhere};
pub(crate) use service::PeerService;
pub(crate) use touch::{Heard, keep_in_touch, tell_leader};
pub(crate) use transport::{MESSAGE_BYTES_MAX, PeerTransport};
