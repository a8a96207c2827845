//! How the cluster is set up, as far as controllers care.

use std::{fmt, net::Ipv4Addr, str::FromStr, time::Duration};

use skep_scheduler::Scoring;

/// A lease outlives that many heartbeats that were lost.
const BEATS_A_LEASE: u32 = 4;

/// From how many nodes a second, on average, servers are to hear at least.
const NODES_A_SECOND: usize = 500;

/// In steps, so that one node more or less does not change what every agent was told.
const HEARTBEAT_STEP_SECS: usize = 5;
const HEARTBEAT_MIN_SECS: u64 = 10;
const HEARTBEAT_MAX_SECS: u64 = 60;

/// How the cluster is set up, as far as controllers care.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The addresses of all pods; each node gets a block of it. `10.244.0.0/16` where not stated.
    pub cluster_cidr: Ipv4Block,
    /// The prefix length of a node's block; 24 where not stated.
    pub node_cidr_prefix: u8,
    /// How long a node may be silent before it counts as lost, in a cluster that is not large; 40 s where not stated.
    pub node_lease: Duration,
    /// How long pods that say nothing about it stay on a node that is not ready or lost, for ever where `None`; 30 s where
    /// not stated.
    pub default_toleration: Option<Duration>,
    /// How many ended pods are kept; 1000 where not stated.
    pub terminated_pods_max: usize,
    /// How long events are kept; 1 h where not stated.
    pub event_ttl: Duration,
    /// How many events are kept; 10,000 where not stated.
    pub events_max: usize,
    /// How nodes are filled that are in no pool, or in one that does not say; spread where not stated.
    pub scoring: Scoring,
    /// Whether and how pods are moved that would be better off elsewhere.
    pub rebalancing: Rebalancing,
}

/// Whether and how pods are moved that would be better off elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rebalancing {
    /// In all namespaces that do not say `skep.io/rebalance: "false"`; else in those that say `"true"`, which is the default.
    pub everywhere: bool,
    /// How many moves begin within a minute at most; 6 where not stated.
    pub per_minute: usize,
    /// How many moves are under way at most; 2 where not stated.
    pub at_once: usize,
}

impl Default for Rebalancing {
    fn default() -> Self {
        Self {
            everywhere: false,
            per_minute: 6,
            at_once: 2,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            cluster_cidr: Ipv4Block {
                address: Ipv4Addr::new(10, 244, 0, 0),
                prefix: 16,
            },
            node_cidr_prefix: 24,
            node_lease: Duration::from_secs(40),
            default_toleration: Some(Duration::from_secs(30)),
            terminated_pods_max: 1000,
            event_ttl: Duration::from_secs(60 * 60),
            events_max: 10_000,
            scoring: Scoring::default(),
            rebalancing: Rebalancing::default(),
        }
    }
}

impl Settings {
    /// How long a node may be silent before it counts as lost, where there are so many of them.
    pub fn lease(&self, nodes: usize) -> Duration {
        self.node_lease.max(heartbeat(nodes) * BEATS_A_LEASE)
    }
}

/// At least so often an agent is to be heard of, where there are so many nodes: every 10 s, and less often in large
/// clusters, where all of them together would keep servers busy.
pub fn heartbeat(nodes: usize) -> Duration {
    let steps = nodes.div_ceil(NODES_A_SECOND * HEARTBEAT_STEP_SECS);
    let steps = u64::try_from(steps).unwrap_or(u64::MAX);
    let seconds = steps.saturating_mul(HEARTBEAT_STEP_SECS as u64);
    Duration::from_secs(seconds.clamp(HEARTBEAT_MIN_SECS, HEARTBEAT_MAX_SECS))
}

/// A block of IPv4 addresses, such as `10.244.0.0/16`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv4Block {
    /// Its first address.
    address: Ipv4Addr,
    /// How many leading bits its addresses share, at most 32.
    prefix: u8,
}

/// Why a text is not a block of addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a block of IPv4 addresses: write its first address and a prefix length, such as 10.244.0.0/16"
)]
pub struct ParseBlockError(String);

impl Ipv4Block {
    /// How many blocks of that prefix length it is made of; 0 where they are larger than it.
    pub fn blocks(&self, prefix: u8) -> u64 {
        if prefix < self.prefix || prefix > 32 {
            0
        } else {
            1 << (prefix - self.prefix)
        }
    }

    /// The block of that prefix length at that place, of [`Ipv4Block::blocks`].
    pub fn block(&self, prefix: u8, index: u64) -> Option<Self> {
        if index >= self.blocks(prefix) {
            return None;
        }
        let offset = index.checked_shl(u32::from(32 - prefix))?;
        let address = u32::try_from(u64::from(self.address.to_bits()) + offset).ok()?;
        Some(Self {
            address: Ipv4Addr::from_bits(address),
            prefix,
        })
    }

    /// The places of those of its blocks that share an address with another block.
    pub fn places(&self, prefix: u8, other: &Self) -> std::ops::Range<u64> {
        if !self.overlaps(other) || self.blocks(prefix) == 0 {
            return 0..0;
        }
        if other.prefix <= self.prefix {
            return 0..self.blocks(prefix);
        }
        let offset = u64::from(other.address.to_bits() - self.address.to_bits());
        let size = 1_u64 << (32 - other.prefix);
        let block = 32 - u32::from(prefix);
        (offset >> block)..(((offset + size - 1) >> block) + 1)
    }

    /// True where an address is in both.
    pub fn overlaps(&self, other: &Self) -> bool {
        let mask = mask(self.prefix.min(other.prefix));
        self.address.to_bits() & mask == other.address.to_bits() & mask
    }
}

fn mask(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0)
}

impl FromStr for Ipv4Block {
    type Err = ParseBlockError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseBlockError(text.to_owned());
        let (address, prefix) = text.split_once('/').ok_or_else(error)?;
        let address: Ipv4Addr = address.parse().map_err(|_| error())?;
        let prefix = prefix
            .parse()
            .ok()
            .filter(|prefix| *prefix <= 32)
            .ok_or_else(error)?;
        if address.to_bits() & !mask(prefix) != 0 {
            return Err(error());
        }
        Ok(Self { address, prefix })
    }
}

impl fmt::Display for Ipv4Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(text: &str) -> Ipv4Block {
        text.parse().unwrap()
    }

    #[test]
    fn block_is_made_of_smaller_ones() {
        let cluster = block("10.244.0.0/16");
        assert_eq!(cluster.blocks(24), 256);
        assert_eq!(cluster.block(24, 0), Some(block("10.244.0.0/24")));
        assert_eq!(cluster.block(24, 255), Some(block("10.244.255.0/24")));
        assert_eq!(cluster.block(24, 256), None);
        assert_eq!((cluster.blocks(8), cluster.block(8, 0)), (0, None));
        assert_eq!(block("0.0.0.0/0").blocks(32), 1 << 32);
        assert_eq!(
            block("0.0.0.0/0").block(32, (1 << 32) - 1),
            Some(block("255.255.255.255/32"))
        );
    }

    #[test]
    fn places_are_those_that_share_an_address() {
        let cluster = block("10.244.0.0/16");
        assert_eq!(cluster.places(24, &block("10.244.7.0/24")), 7..8);
        assert_eq!(cluster.places(24, &block("10.244.8.0/22")), 8..12);
        assert_eq!(cluster.places(24, &block("10.244.7.128/25")), 7..8);
        assert_eq!(cluster.places(24, &block("10.0.0.0/8")), 0..256);
        assert_eq!(cluster.places(24, &block("10.245.0.0/24")), 0..0);
    }

    #[test]
    fn agents_of_large_clusters_are_heard_of_less_often_and_lost_later() {
        let told = |nodes: usize| {
            let lease = Settings::default().lease(nodes);
            (heartbeat(nodes).as_secs(), lease.as_secs())
        };
        assert_eq!(told(0), (10, 40));
        assert_eq!(told(5000), (10, 40));
        assert_eq!(told(5001), (15, 60));
        assert_eq!(told(10_000), (20, 80));
        assert_eq!(told(1_000_000), (60, 240));
    }

    #[test]
    fn only_a_first_address_and_a_prefix_length_make_a_block() {
        for bad in [
            "",
            "10.0.0.0",
            "10.0.0.0/33",
            "10.0.0.1/24",
            "10.0.0/24",
            "fd00::/64",
        ] {
            assert!(bad.parse::<Ipv4Block>().is_err(), "{bad}");
        }
        assert_eq!(block("10.1.2.0/24").to_string(), "10.1.2.0/24");
    }
}
