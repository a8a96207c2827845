//! The server as its clients and agents see it: started in this process, asked over its Unix socket.
#![expect(clippy::unwrap_used, reason = "in a test, what must work is unwrapped")]

mod agent;
mod harness;

mod access;
mod deletion;
mod errors;
mod policy;
mod reads;
mod rollout;
mod sessions;
mod streams;
mod trust;
mod watches;
mod writes;
