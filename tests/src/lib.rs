//! What whole-cluster tests and benchmarks share: engines, images, and a running `skep up`.

mod cluster;
mod control_plane;
mod engine;
mod image;
mod lan;
pub mod manifest;
mod sim_agents;
mod wait;

pub use cluster::{Cluster, Outcome};
pub use control_plane::{ControlPlane, Daemon, Host, Loopback};
pub use engine::Engine;
pub use image::{SLEEPER, WEB_V1, WEB_V2};
pub use lan::{Lan, Machine};
pub use sim_agents::{SimAgents, SimError, SimOptions, SimStats};
pub use wait::eventually;
