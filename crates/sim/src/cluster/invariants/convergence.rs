//! Once misfortune has ended, all that is wanted runs, and nothing else: no pod, no container and no address is left over.

use std::collections::{BTreeMap, BTreeSet};

use skep_agent::{
    runtime::{Container, RunState},
    spec::label,
};
use skep_api::{Deployment, Node, NodeCondition, NodeConditionType, Pod};

/// What the servers say, and what the engines have.
pub(in crate::cluster) struct Whole {
    pub(in crate::cluster) deployments: Vec<Deployment>,
    pub(in crate::cluster) nodes: Vec<Node>,
    pub(in crate::cluster) pods: Vec<Pod>,
    pub(in crate::cluster) engines: BTreeMap<String, Vec<Container>>,
}

impl Whole {
    /// What is not as it should be yet, in words; `None` where all is well.
    pub(in crate::cluster) fn amiss(
        &self,
        wanted: &BTreeMap<String, i32>,
        singles: &BTreeSet<String>,
    ) -> Option<String> {
        self.nodes_amiss()
            .or_else(|| self.deployments_amiss(wanted))
            .or_else(|| self.pods_amiss(wanted, singles))
            .or_else(|| self.engines_amiss())
            .or_else(|| self.addresses_amiss())
    }

    fn nodes_amiss(&self) -> Option<String> {
        let amiss = |node: &&Node| {
            !NodeCondition::is_true(&node.status.conditions, NodeConditionType::Ready)
                || !node.spec.taints.is_empty()
        };
        let node = self.nodes.iter().find(amiss)?;
        Some(format!(
            "node {} is not ready: {:?}",
            node.metadata.name, node.spec.taints
        ))
    }

    fn deployments_amiss(&self, wanted: &BTreeMap<String, i32>) -> Option<String> {
        let found: BTreeMap<&str, &Deployment> = self
            .deployments
            .iter()
            .map(|found| (found.metadata.name.as_str(), found))
            .collect();
        let missing = wanted.keys().find(|name| !found.contains_key(name.as_str()));
        if let Some(missing) = missing {
            return Some(format!("there is no deployment {missing}"));
        }
        found.values().find_map(|deployment| {
            let (name, status) = (&deployment.metadata.name, &deployment.status);
            let replicas = wanted.get(name).copied().unwrap_or(0);
            let well = status.ready_replicas == replicas
                && status.updated_replicas == replicas
                && status.replicas == replicas
                && status.observed_generation == deployment.metadata.generation;
            (!well).then(|| format!("deployment {name} is to have {replicas} replicas, and is at {status:?}"))
        })
    }

    fn pods_amiss(&self, wanted: &BTreeMap<String, i32>, singles: &BTreeSet<String>) -> Option<String> {
        let count = usize::try_from(wanted.values().sum::<i32>()).unwrap_or(0) + singles.len();
        let unwell = self
            .pods
            .iter()
            .find(|pod| !pod.is_ready() || pod.metadata.is_deleting());
        if let Some(pod) = unwell {
            return Some(format!(
                "pod {} on {} is not well: {:?}",
                pod.metadata.name, pod.spec.node_name, pod.status.phase
            ));
        }
        let names: BTreeSet<&str> = self.pods.iter().map(|pod| pod.metadata.name.as_str()).collect();
        if let Some(single) = singles.iter().find(|single| !names.contains(single.as_str())) {
            return Some(format!("pod {single} is missing"));
        }
        (self.pods.len() != count).then(|| format!("{} pods, {count} are wanted: {names:?}", self.pods.len()))
    }

    fn engines_amiss(&self) -> Option<String> {
        for (node, containers) in &self.engines {
            let uids = |of: &dyn Fn(&Container) -> bool| -> BTreeSet<String> {
                let ours = containers.iter().filter(|container| of(container));
                ours.filter_map(|container| container.labels.get(label::POD_UID).cloned())
                    .collect()
            };
            let running = uids(&|container| matches!(container.state, RunState::Running { .. }));
            let bound: BTreeSet<String> = self
                .pods
                .iter()
                .filter(|pod| pod.spec.node_name == *node)
                .map(|pod| pod.metadata.uid.clone())
                .collect();
            if running != bound {
                return Some(format!("node {node} is to run {bound:?}, and runs {running:?}"));
            }
            let all = uids(&|_| true);
            if all != bound {
                return Some(format!(
                    "node {node} keeps containers of {all:?}, and runs {bound:?}"
                ));
            }
        }
        None
    }

    fn addresses_amiss(&self) -> Option<String> {
        let mut seen = BTreeMap::new();
        for pod in &self.pods {
            let (name, address) = (&pod.metadata.name, &pod.status.pod_ip);
            if let Some(other) = seen.insert(address, name) {
                return Some(format!(
                    "pods {other} and {name} have the address {address:?} both"
                ));
            }
        }
        None
    }
}
