//! Once misfortune has ended, all that is wanted runs, and nothing else: no pod, no container and no address is left over.

use std::collections::{BTreeMap, BTreeSet};

use skep_agent::{
    runtime::{Container, RunState},
    spec::label,
};
use skep_api::{Deployment, Node, NodeCondition, NodeConditionType, Pod};

/// What the servers say, and what the engines have.
pub(in crate::cluster) struct Whole {
    /// Their addresses by their names.
    pub(in crate::cluster) servers: BTreeMap<String, String>,
    pub(in crate::cluster) deployments: Vec<Deployment>,
    pub(in crate::cluster) nodes: Vec<Node>,
    pub(in crate::cluster) pods: Vec<Pod>,
    pub(in crate::cluster) engines: BTreeMap<String, Vec<Container>>,
}

impl Whole {
    /// What is not as it should be yet, in words; `None` where all is well.
    pub(in crate::cluster) fn amiss(
        &self,
        servers: &BTreeMap<String, String>,
        wanted: &BTreeMap<String, i32>,
        singles: &BTreeSet<String>,
    ) -> Option<String> {
        self.servers_amiss(servers)
            .or_else(|| self.nodes_amiss())
            .or_else(|| self.deployments_amiss(wanted))
            .or_else(|| self.pods_amiss(wanted, singles))
            .or_else(|| self.engines_amiss())
            .or_else(|| self.addresses_amiss())
    }

    fn servers_amiss(&self, wanted: &BTreeMap<String, String>) -> Option<String> {
        (self.servers != *wanted).then(|| format!("the servers are {wanted:?}, and know {:?}", self.servers))
    }

    fn nodes_amiss(&self) -> Option<String> {
        let amiss = |node: &&Node| {
            !NodeCondition::is_true(&node.status.conditions, NodeConditionType::Ready)
                || !node.spec.taints.is_empty()
        };
        if let Some(node) = self.nodes.iter().find(amiss) {
            let (name, taints) = (&node.metadata.name, &node.spec.taints);
            return Some(format!("node {name} is not ready: {taints:?}"));
        }
        let known: BTreeSet<&str> = self
            .nodes
            .iter()
            .map(|node| node.metadata.name.as_str())
            .collect();
        let unknown = self.engines.keys().find(|name| !known.contains(name.as_str()))?;
        Some(format!("node {unknown} has not joined"))
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

#[cfg(test)]
mod tests {
    use skep_api::TaintEffect;
    use skep_testkit::{deployment, node, pod};

    use super::*;

    fn names<V>(of: impl IntoIterator<Item = (&'static str, V)>) -> BTreeMap<String, V> {
        of.into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }

    fn at(address: &str) -> BTreeMap<String, String> {
        names([("s1", address.to_owned())])
    }

    fn well(name: &str, address: &str) -> Pod {
        let mut pod = pod(name).uid(name).node("n1").ready().build();
        address.clone_into(&mut pod.status.pod_ip);
        pod
    }

    fn container(uid: &str, state: RunState) -> Container {
        Container {
            id: uid.to_owned(),
            name: uid.to_owned(),
            labels: names([(label::POD_UID, uid.to_owned())]),
            image: String::new(),
            image_id: String::new(),
            state,
            pid: 0,
        }
    }

    fn runs() -> RunState {
        RunState::Running {
            started: skep_testkit::start(),
        }
    }

    /// A deployment `web` of one replica, and the pod `solo`.
    fn whole() -> Whole {
        let mut web = deployment("web", 1).build();
        web.status.ready_replicas = 1;
        web.status.updated_replicas = 1;
        web.status.replicas = 1;
        web.status.observed_generation = web.metadata.generation;
        Whole {
            servers: at("10.0.0.1:7443"),
            deployments: vec![web],
            nodes: vec![node("n1").build()],
            pods: vec![well("web-1", "10.1.0.1"), well("solo", "10.1.0.2")],
            engines: names([("n1", vec![container("web-1", runs()), container("solo", runs())])]),
        }
    }

    /// What is amiss with it where something was done to it.
    fn amiss(change: impl FnOnce(&mut Whole)) -> Option<String> {
        let mut whole = whole();
        change(&mut whole);
        let singles = BTreeSet::from(["solo".to_owned()]);
        whole.amiss(&at("10.0.0.1:7443"), &names([("web", 1)]), &singles)
    }

    #[test]
    fn what_is_as_it_should_be_is_not_amiss() {
        assert_eq!(amiss(|_| {}), None);
    }

    #[test]
    fn whatever_is_amiss_is_noticed() {
        type Damage = fn(&mut Whole);
        let damages: [(&str, Damage); 12] = [
            ("the servers are", |whole| whole.servers = at("10.0.1.1:7443")),
            ("node n1 is not ready", |whole| {
                whole.nodes = vec![node("n1").not_ready().build()];
            }),
            ("node n1 is not ready", |whole| {
                let lost = node("n1").taint("lost", "", TaintEffect::NoExecute);
                whole.nodes = vec![lost.build()];
            }),
            ("node n2 has not joined", |whole| {
                whole.engines.insert("n2".to_owned(), Vec::new());
            }),
            ("there is no deployment web", |whole| whole.deployments.clear()),
            ("deployment web is to have 1 replicas", |whole| {
                whole.deployments[0].status.ready_replicas = 0;
            }),
            ("pod solo on n1 is not well", |whole| {
                whole.pods[1] = pod("solo").uid("solo").node("n1").running().build();
            }),
            ("pod solo is missing", |whole| drop(whole.pods.pop())),
            ("3 pods, 2 are wanted", |whole| {
                whole.pods.push(well("web-2", "10.1.0.3"));
            }),
            ("node n1 is to run", |whole| {
                let containers = whole.engines.get_mut("n1").unwrap();
                containers.pop();
            }),
            ("node n1 keeps containers of", |whole| {
                let containers = whole.engines.get_mut("n1").unwrap();
                containers.push(container("gone", RunState::Created));
            }),
            ("have the address \"10.1.0.1\" both", |whole| {
                whole.pods[1] = well("solo", "10.1.0.1");
            }),
        ];
        for (words, damage) in damages {
            let told = amiss(damage).unwrap_or_default();
            assert!(told.contains(words), "{words}: {told:?}");
        }
    }
}
