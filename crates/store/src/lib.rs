//! Keeps the cluster state durable and replicated: raft, log, snapshots, watch.
//!
//! [`Store`] is the only door. The consensus library shows nowhere outside of this crate.

mod config;
mod error;
mod folder;
mod leadership;
mod log;
mod machine;
mod network;
mod raft;
mod snapshot;
mod space;
mod store;
mod upkeep;
mod watch;

pub use config::StoreConfig;
pub use error::{OpenError, ProposeError, ReadError, SnapshotError};
pub use snapshot::SnapshotInfo;
pub use store::Store;
pub use watch::Watch;
