//! What whole-cluster tests and benchmarks share: engines, images, and a running `skep up`.

mod block;
mod client;
mod clock;
mod cluster;
mod control_plane;
mod dice;
mod disk;
mod engine;
mod image;
mod lan;
mod load;
pub mod manifest;
mod sim_agents;
mod wait;

pub use client::Client;
pub use clock::Clock;
pub use cluster::{Cluster, Outcome};
pub use control_plane::{Commands, ControlPlane, Daemon, Host, Loopback, Written};
pub use dice::Dice;
pub use disk::Disk;
pub use engine::Engine;
pub use image::{SLEEPER, WEB_V1, WEB_V2};
pub use lan::{Lan, Machine};
pub use load::{Load, Record};
pub use sim_agents::{SimAgents, SimError, SimOptions, SimStats};
pub use wait::eventually;
