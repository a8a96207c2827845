//! The control-plane daemon: API doors, admission, agent sessions, leader duties.
//!
//! [`run`] starts it. Reads and writes of clients are in `read` and `write`, conversations with agents in `sessions` and
//! `streams`; while the server leads, `leader` runs the controllers and the scheduler. What they share is `Core`.

mod authorize;
mod bootstrap;
mod clock;
mod config;
mod core;
mod doors;
mod error;
mod failure;
mod home;
mod join;
mod leader;
mod long;
mod members;
mod offline;
mod peers;
mod read;
mod render;
mod routes;
mod run;
mod seal;
mod services;
mod sessions;
mod stamp;
mod streams;
mod tunnels;
mod write;

pub use config::{Begin, ClusterConfig, ServerConfig};
pub use error::ServerError;
pub use offline::{Kept, Recovered, check_home, inspect, recover, restore};
pub use run::{Ready, Running, run};
pub use seal::{Opener, key_file, label_of};
pub use skep_controllers::{Rebalancing, Scoring};
