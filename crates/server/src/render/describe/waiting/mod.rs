//! What keeps an object from being as it should be, in words. Each line reads on from "Waiting for".

mod pod;
mod rollout;
mod source;

pub(super) use pod::waits as pod;
pub(super) use rollout::{deployment, replica_set};
