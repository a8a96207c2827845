//! Addresses of pods, out of the node's podCIDR. Who has which is rebuilt from container labels and reported statuses.

use std::{collections::BTreeMap, net::Ipv4Addr};

/// The node's block of addresses and who has which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ipam {
    first: u32,
    last: u32,
    owners: BTreeMap<u32, String>,
    /// Addresses are handed out in turn, so that one that was just given back rests for a while.
    next: u32,
}

/// Why there is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum IpamError {
    /// The block cannot be used.
    #[error("podCIDR `{0}` is not an IPv4 block of at least four addresses such as 10.64.3.0/24")]
    Block(String),
    /// All addresses are taken.
    #[error("no address is free: the node's pods have all {0} of its podCIDR")]
    Exhausted(u32),
}

impl Ipam {
    /// All of the block but its network address, the gateway (the first one) and the broadcast address.
    pub(crate) fn new(cidr: &str) -> Result<Self, IpamError> {
        let (network, prefix) = parse(cidr).ok_or_else(|| IpamError::Block(cidr.to_owned()))?;
        let size = 1u32 << (32 - prefix);
        let first = network + 2;
        Ok(Self {
            first,
            last: network + (size - 2),
            owners: BTreeMap::new(),
            next: first,
        })
    }

    /// The node's own address in the block: the bridge has it.
    pub(crate) fn gateway(&self) -> Ipv4Addr {
        Ipv4Addr::from(self.first - 1)
    }

    /// The pod's address: the one it has, else `wanted` where it is free, else the next free one.
    pub(crate) fn take(&mut self, uid: &str, wanted: Option<Ipv4Addr>) -> Result<Ipv4Addr, IpamError> {
        if let Some((address, _)) = self.owners.iter().find(|(_, owner)| *owner == uid) {
            return Ok(Ipv4Addr::from(*address));
        }
        let wanted = wanted.map(u32::from).filter(|address| self.is_free(*address));
        let address = wanted
            .or_else(|| self.next_free())
            .ok_or(IpamError::Exhausted(self.size()))?;
        self.owners.insert(address, uid.to_owned());
        if wanted.is_none() {
            self.next = if address == self.last {
                self.first
            } else {
                address + 1
            };
        }
        Ok(Ipv4Addr::from(address))
    }

    /// Gives the pod's address back.
    pub(crate) fn free(&mut self, uid: &str) {
        self.owners.retain(|_, owner| owner != uid);
    }

    fn is_free(&self, address: u32) -> bool {
        (self.first..=self.last).contains(&address) && !self.owners.contains_key(&address)
    }

    fn next_free(&self) -> Option<u32> {
        (self.next..=self.last)
            .chain(self.first..self.next)
            .find(|address| self.is_free(*address))
    }

    fn size(&self) -> u32 {
        self.last - self.first + 1
    }
}

/// Network address and prefix length.
fn parse(cidr: &str) -> Option<(u32, u32)> {
    let (address, prefix) = cidr.split_once('/')?;
    let prefix: u32 = prefix.parse().ok().filter(|prefix| (8..=29).contains(prefix))?;
    let address = u32::from(address.parse::<Ipv4Addr>().ok()?);
    Some((address & (u32::MAX << (32 - prefix)), prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(ipam: &mut Ipam, uid: &str) -> String {
        ipam.take(uid, None)
            .map_or_else(|error| error.to_string(), |address| address.to_string())
    }

    #[test]
    fn network_gateway_and_broadcast_are_never_handed_out() {
        let mut ipam = Ipam::new("10.64.3.8/29").unwrap();
        let taken: Vec<String> = (0..6).map(|n| take(&mut ipam, &n.to_string())).collect();
        assert_eq!(ipam.gateway().to_string(), "10.64.3.9");
        let all = [
            "10.64.3.10",
            "10.64.3.11",
            "10.64.3.12",
            "10.64.3.13",
            "10.64.3.14",
        ];
        assert_eq!(taken[..5], all);
        assert_eq!(
            taken[5],
            "no address is free: the node's pods have all 5 of its podCIDR"
        );
    }

    #[test]
    fn a_pod_keeps_its_address_and_a_freed_one_rests() {
        let mut ipam = Ipam::new("10.64.3.0/24").unwrap();
        assert_eq!(take(&mut ipam, "a"), "10.64.3.2");
        assert_eq!(take(&mut ipam, "a"), "10.64.3.2");
        ipam.free("a");
        assert_eq!(take(&mut ipam, "b"), "10.64.3.3");
    }

    #[test]
    fn a_wanted_address_is_given_where_it_is_free_and_in_the_block() {
        let mut ipam = Ipam::new("10.64.3.0/24").unwrap();
        let wanted = Ipv4Addr::new(10, 64, 3, 77);
        assert_eq!(ipam.take("a", Some(wanted)).unwrap(), wanted);
        assert_eq!(ipam.take("b", Some(wanted)).unwrap(), Ipv4Addr::new(10, 64, 3, 2));
        assert_eq!(
            ipam.take("c", Some(Ipv4Addr::new(10, 9, 9, 9))).unwrap(),
            Ipv4Addr::new(10, 64, 3, 3)
        );
    }

    #[test]
    fn a_block_that_is_none_is_refused() {
        for cidr in [
            "",
            "10.0.0.0",
            "10.0.0.0/33",
            "10.0.0.0/31",
            "fd00::/64",
            "10.0.0/24",
        ] {
            assert_eq!(Ipam::new(cidr), Err(IpamError::Block(cidr.to_owned())));
        }
    }
}
