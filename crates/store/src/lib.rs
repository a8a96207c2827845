//! Keeps the cluster state durable and replicated: raft, log, snapshots, watch.
//!
//! [`Store`] is the only door. The consensus library shows nowhere outside of this crate.

mod archive;
mod awaited;
mod backups;
mod batch;
mod blocking;
mod config;
mod error;
mod folder;
#[doc(hidden)]
pub mod fuzzing;
mod guide;
mod home;
mod leadership;
mod log;
mod machine;
mod member;
mod membership;
mod numbers;
mod peers;
mod propose;
mod raft;
mod reads;
mod rekey;
mod relief;
mod reseal;
mod sending;
mod snapshot;
mod space;
mod store;
mod transport;
mod upkeep;
mod vault;
mod watch;

pub use archive::{ExportError, Summary, inspect, label_of, recover, restore};
pub use config::{BackupConfig, DiskDelay, Start, StoreConfig};
pub use error::{MembershipError, OpenError, ProposeError, ReadError, ResealError, SnapshotError};
pub use folder::is_in_use;
pub use member::{Member, MemberStatus, Role};
pub use snapshot::{SealedWriter, SnapshotInfo};
pub use store::Store;
pub use transport::{Lane, PEER_MESSAGE_BYTES_MAX, Transport, TransportError};
pub use vault::{LABEL_BYTES_MAX, Vault, VaultError};
pub use watch::Watch;
