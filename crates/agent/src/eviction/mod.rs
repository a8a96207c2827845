//! Node-pressure eviction: where the machine runs short of memory, disk or process numbers, pods go before the kernel chooses.

mod config;
mod evictor;
mod keeper;
mod levels;
mod rank;
mod signal;
mod usage;

pub use config::{EvictionConfig, SoftThreshold};
pub use signal::{Amount, Signal, parse_grace_periods, parse_thresholds};

pub(crate) use evictor::{Eviction, Evictor, Pressures};
pub(crate) use keeper::Pressure;
