//! The control-plane daemon: API doors, admission, agent sessions, leader duties.

mod config;
mod run;

pub use config::ServerConfig;
pub use run::{Ready, ServerError, run};
