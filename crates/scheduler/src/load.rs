//! What a pod takes up on its node.

use std::net::IpAddr;

use skep_api::{Pod, PodSpec, Protocol};

use crate::resource::{CPU, MEMORY, PODS, ResourceId, Resources, wanted};

/// For scoring, a pod without CPU request counts as this many thousandths, as in Kubernetes.
const NOMINAL_CPU: i64 = 100;
/// For scoring, a pod without memory request counts as this many bytes, as in Kubernetes.
const NOMINAL_MEMORY: i64 = 200 << 20;
/// For scoring, more than this counts as this, so that the sum over a node's pods stays a number.
const NOMINAL_MAX: i64 = 1 << 46;

/// What a pod takes up on its node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Load {
    /// What is set aside for it, by resource; one pod included. Sorted, nothing is zero.
    pub(crate) amounts: Box<[(ResourceId, i64)]>,
    /// CPU and memory that count towards scores.
    pub(crate) nominal: [i64; 2],
    /// Ports of the node.
    pub(crate) ports: Box<[HostPort]>,
}

/// A port of the node that a pod takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct HostPort {
    port: u16,
    protocol: u8,
    /// `None` stands for all addresses.
    address: Option<IpAddr>,
}

impl HostPort {
    /// Two ports conflict where number and protocol are equal and the addresses overlap.
    pub(crate) fn conflicts(&self, other: &Self) -> bool {
        let overlap = self.address.is_none() || other.address.is_none() || self.address == other.address;
        self.port == other.port && self.protocol == other.protocol && overlap
    }
}

impl std::fmt::Display for HostPort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(address) = self.address {
            write!(f, "{address}:")?;
        }
        write!(
            f,
            "{}/{}",
            self.port,
            ["TCP", "UDP", "SCTP"][usize::from(self.protocol)]
        )
    }
}

impl Load {
    pub(crate) fn of(pod: &Pod, resources: &mut Resources) -> Self {
        let mut amounts: Vec<(ResourceId, i64)> = pod
            .requests()
            .iter()
            .map(|(name, amount)| (resources.id(name), amount))
            .map(|(id, amount)| (id, wanted(id, amount)))
            .filter(|(id, amount)| *amount > 0 && *id != PODS)
            .chain([(PODS, 1)])
            .collect();
        amounts.sort_unstable();
        let amount = |id| {
            amounts
                .iter()
                .find(|(other, _)| *other == id)
                .map(|(_, amount)| *amount)
        };
        let nominal = [
            amount(CPU).unwrap_or(NOMINAL_CPU).min(NOMINAL_MAX),
            amount(MEMORY).unwrap_or(NOMINAL_MEMORY).min(NOMINAL_MAX),
        ];
        Self {
            nominal,
            amounts: amounts.into(),
            ports: host_ports(&pod.spec),
        }
    }
}

/// True for a pod that takes up room on its node: bound, and not ended for good.
pub(crate) fn takes_room(pod: &Pod) -> bool {
    !pod.spec.node_name.is_empty() && !pod.is_terminal()
}

fn host_ports(spec: &PodSpec) -> Box<[HostPort]> {
    let ports = spec.lasting_containers().flat_map(|container| &container.ports);
    let mut taken: Vec<HostPort> = ports
        .filter_map(|port| {
            let on_host = if spec.host_network {
                port.container_port
            } else {
                port.host_port
            };
            let number = u16::try_from(on_host).ok().filter(|number| *number > 0)?;
            let protocol = match port.protocol {
                Protocol::Tcp => 0,
                Protocol::Udp => 1,
                Protocol::Sctp => 2,
            };
            let address = port
                .host_ip
                .parse()
                .ok()
                .filter(|ip: &IpAddr| !ip.is_unspecified());
            Some(HostPort {
                port: number,
                protocol,
                address,
            })
        })
        .collect();
    taken.sort_unstable();
    taken.dedup();
    taken.into()
}
