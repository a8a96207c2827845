//! Labels and annotations that mean something to skep.

/// The label of a pod that says which [`crate::WorkloadTier`] it belongs to.
pub const TIER: &str = "skep.io/tier";

/// The annotation of a pod that says what its tier has filled in.
pub const TIER_FILLED: &str = "skep.io/tier-filled";

/// The label of a node that says which [`crate::NodePool`] it belongs to.
pub const POOL: &str = "skep.io/pool";

/// The annotation of a node that says which labels and taints it has from its pool.
pub const POOL_APPLIED: &str = "skep.io/pool-applied";

/// The annotation of a pod that is to be replaced before it goes: until when its replacement is kept up, in RFC 3339.
pub const REPLACED_UNTIL: &str = "skep.io/replaced-until";

/// The annotation of a namespace that asks for rebalancing of its pods (`true`) or wants none (`false`), and of a pod that is
/// not to be moved (`false`), or may be moved although it has an `emptyDir`, whose data is lost then (`true`).
pub const REBALANCE: &str = "skep.io/rebalance";

/// The annotation of a pod that rebalancing moves: since when, to where and why, as JSON.
pub const REBALANCE_MOVE: &str = "skep.io/rebalance-move";

/// The annotation of a pod whose move came to nothing: when it may be tried again, in RFC 3339.
pub const REBALANCE_AFTER: &str = "skep.io/rebalance-after";

/// The node's zone.
pub const ZONE: &str = "topology.kubernetes.io/zone";

/// The node's host name.
pub const HOSTNAME: &str = "kubernetes.io/hostname";
