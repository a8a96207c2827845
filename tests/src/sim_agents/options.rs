//! How simulated agents behave.

use std::time::Duration;

use skep_api::{ContainerImage, Node, NodeAddress, NodeAddressType, NodeSystemInfo};
use skep_testkit::node;

/// Images that a node tells of: about what a machine in use has.
const IMAGES: usize = 10;

/// How simulated agents behave.
#[derive(Clone, Debug)]
pub struct SimOptions {
    /// Nodes are called by this, a hyphen and a number from 0 on.
    pub prefix: String,
    /// From the assignment of a pod until it is reported as running.
    pub start_takes: Duration,
    /// From the deletion of a pod until nothing is left of it.
    pub stop_takes: Duration,
    /// Machines that join, and sessions that begin, at once.
    pub at_once: usize,
    /// CPUs of a node.
    pub cpu: String,
    /// Memory of a node.
    pub memory: String,
    /// Pods that a node takes.
    pub pods_max: u32,
}

impl Default for SimOptions {
    fn default() -> Self {
        Self {
            prefix: "sim".to_owned(),
            start_takes: Duration::ZERO,
            stop_takes: Duration::ZERO,
            at_once: 64,
            cpu: "16".to_owned(),
            memory: "64Gi".to_owned(),
            pods_max: 110,
        }
    }
}

impl SimOptions {
    /// The Node of an agent, as one on a real machine would tell of it.
    pub(super) fn node(&self, name: &str, number: usize) -> Node {
        let mut node = node(name)
            .label("kubernetes.io/os", "linux")
            .label("kubernetes.io/arch", "amd64")
            .cpu(&self.cpu)
            .memory(&self.memory)
            .pods(self.pods_max)
            .build();
        node.status.addresses.push(NodeAddress {
            r#type: NodeAddressType::InternalIP,
            address: host_ip(number),
        });
        node.status.node_info = NodeSystemInfo {
            machine_id: format!("{number:032x}"),
            system_uuid: format!("{number:032x}"),
            boot_id: format!("{number:032x}"),
            kernel_version: "6.1.0-32-amd64".to_owned(),
            os_image: "Debian GNU/Linux 12 (bookworm)".to_owned(),
            container_runtime_version: "docker://20.10.24".to_owned(),
            kubelet_version: env!("CARGO_PKG_VERSION").to_owned(),
            operating_system: "linux".to_owned(),
            architecture: "amd64".to_owned(),
        };
        node.status.images = (0..IMAGES).map(image).collect();
        node
    }
}

/// An address of its own for each machine.
pub(super) fn host_ip(number: usize) -> String {
    format!(
        "172.{}.{}.{}",
        16 + number / 65_536 % 16,
        number / 256 % 256,
        number % 256
    )
}

fn image(number: usize) -> ContainerImage {
    ContainerImage {
        names: vec![format!("registry.example/team/service-{number}:1.{number}.0")],
        size_bytes: 80_000_000,
    }
}
