//! The control-plane daemon: API doors, admission, agent sessions, leader duties.
//!
//! [`run`] starts it. Reads and writes of clients are in `read` and `write`, conversations with agents in `sessions` and
//! `streams`; while the server leads, `leader` runs the controllers and the scheduler. What they share is `Core`.

mod bootstrap;
mod clock;
mod config;
mod core;
mod doors;
mod failure;
mod leader;
mod read;
mod render;
mod run;
mod services;
mod sessions;
mod stamp;
mod streams;
mod tunnels;
mod write;

pub use config::ServerConfig;
pub use run::{Ready, ServerError, run};
