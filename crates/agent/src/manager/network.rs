//! The bridge that pods live on, once the server has given the node its addresses.

use skep_api::Node;

use super::{Manager, NetworkState};
use crate::{ipam::Ipam, runtime::Network, spec::node_labels};

impl Manager {
    pub(super) fn take_node(&mut self, node: &Node) {
        let cidr = &node.spec.pod_cidr;
        if cidr.is_empty() {
            return;
        }
        match Ipam::new(cidr) {
            Ok(ipam) => {
                if self.shared.set_ipam(cidr, ipam) {
                    self.network = NetworkState::Wanted;
                }
            }
            Err(error) => tracing::error!(%error, "pods cannot have addresses"),
        }
    }

    pub(super) async fn set_up_network(&mut self) {
        let Some((cidr, gateway)) = self.shared.block() else {
            return;
        };
        let labels = node_labels(self.shared.cluster(), &self.shared.config.node_name);
        let network = Network {
            name: self.shared.network(),
            cidr,
            gateway: Some(gateway),
            labels,
        };
        match self.shared.runtime.ensure_network(&network).await {
            Ok(()) => {
                self.network = NetworkState::Ready;
                self.shared.set_network(None);
                self.workers.values().for_each(|inbox| inbox.retry());
            }
            Err(error) => {
                tracing::warn!(%error, "cannot set up the pods' bridge");
                self.shared.set_network(Some(error.to_string()));
            }
        }
    }
}
