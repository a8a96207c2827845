//! What a pod's containers and volumes are filled from.

use std::{net::Ipv4Addr, sync::Arc};

use skep_api::{ConfigMap, ResourceList, Secret};

/// Config maps and secrets as the node knows them.
pub trait Sources: Send + Sync {
    /// The config map; `None` where there is none.
    fn config_map(&self, namespace: &str, name: &str) -> Option<Arc<ConfigMap>>;

    /// The secret; `None` where there is none.
    fn secret(&self, namespace: &str, name: &str) -> Option<Arc<Secret>>;
}

/// What a pod may ask of its node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The node's name.
    pub node_name: String,
    /// The node's address; empty where unknown.
    pub host_ip: String,
    /// The pod's address; `None` on the node's network (then it is `host_ip`) or where it has none yet.
    pub pod_address: Option<Ipv4Addr>,
    /// What a container without limits may use at most.
    pub allocatable: ResourceList,
}

impl Facts {
    /// The pod's address as documents write it; the node's for a pod on the node's network, empty where unknown.
    pub fn pod_ip(&self, host_network: bool) -> String {
        if host_network {
            return self.host_ip.clone();
        }
        self.pod_address
            .map(|address| address.to_string())
            .unwrap_or_default()
    }
}
