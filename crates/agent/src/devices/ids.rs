//! Which devices a pod has, container by container: kept in a label of each of its containers.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use skep_api::{ResourceHealth, ResourceHealthStatus, ResourceStatus};

/// Ids by resource.
pub(crate) type Ids = BTreeMap<String, Vec<String>>;

/// Ids of a pod's devices by container and resource.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct PodDevices {
    pub(super) containers: BTreeMap<String, Ids>,
}

impl PodDevices {
    /// From a label's text; `None` where there is nothing in it.
    pub(crate) fn parse(label: &str) -> Option<Self> {
        let devices: Self = serde_json::from_str(label).ok()?;
        (!devices.containers.is_empty()).then_some(devices)
    }

    /// For a label.
    pub(crate) fn to_label(&self) -> String {
        serde_json::to_string(self).expect("names and ids are a document")
    }

    /// What a container has.
    pub(crate) fn of(&self, container: &str) -> Option<&Ids> {
        self.containers.get(container)
    }

    /// What a container has, as its status tells it. CPUs are told as one range.
    pub(crate) fn status(&self, container: &str) -> Vec<ResourceStatus> {
        let told = |(name, ids): (&String, &Vec<String>)| {
            let ids = if name == super::pool::CPU {
                vec![super::pool::cpu_list(ids)]
            } else {
                ids.clone()
            };
            ResourceStatus {
                name: name.clone(),
                resources: ids.into_iter().map(one).collect(),
            }
        };
        self.of(container).into_iter().flatten().map(told).collect()
    }

    /// All the pod's ids of a resource; a container that runs before the others may have what they have.
    pub(super) fn all(&self, resource: &str) -> BTreeSet<&str> {
        let ids = self.containers.values().filter_map(|ids| ids.get(resource));
        ids.flatten().map(String::as_str).collect()
    }

    /// The resources that the pod has something of.
    pub(super) fn resources(&self) -> BTreeSet<&str> {
        let names = self.containers.values().flat_map(BTreeMap::keys);
        names.map(String::as_str).collect()
    }
}

fn one(id: String) -> ResourceHealth {
    ResourceHealth {
        resource_id: id,
        health: ResourceHealthStatus::Healthy,
    }
}
