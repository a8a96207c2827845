//! A node as the scheduler sees it: what it offers, and what its pods take up.

use std::collections::BTreeMap;

use skep_api::{ConditionStatus, Node, NodeConditionType, Taint, TaintEffect};

use crate::{
    load::{HostPort, Load},
    resource::{PODS, ResourceId, Resources, offered},
};

/// A node as the scheduler sees it.
#[derive(Clone, Debug, Default)]
pub(crate) struct NodeRow {
    pub(crate) name: String,
    /// False where pods are bound to a node of this name but there is none.
    pub(crate) exists: bool,
    pub(crate) ready: ConditionStatus,
    pub(crate) cordoned: bool,
    pub(crate) labels: BTreeMap<String, String>,
    /// The taints that keep pods away, `NoSchedule` and `NoExecute`.
    pub(crate) taints: Vec<Taint>,
    /// The taints that put pods off, `PreferNoSchedule`.
    pub(crate) soft_taints: Vec<Taint>,
    /// What pods may ask for, by resource; missing ones are zero.
    allocatable: Vec<i64>,
    /// What its pods have asked for, by resource; missing ones are zero.
    used: Vec<i64>,
    /// CPU and memory that its pods count for in scores.
    pub(crate) nominal: [i64; 2],
    /// Ports its pods take, one entry for each pod that takes it.
    ports: Vec<HostPort>,
    /// How many pods it has of each owner.
    owners: BTreeMap<Box<str>, u32>,
}

impl NodeRow {
    pub(crate) fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }

    /// Takes over what the object says and keeps what the pods take up.
    pub(crate) fn set(&mut self, node: &Node, resources: &mut Resources) {
        let ready = node
            .status
            .conditions
            .iter()
            .find(|condition| condition.r#type == NodeConditionType::Ready);
        let taints = node.spec.taints.iter().cloned();
        self.exists = true;
        self.ready = ready.map_or(ConditionStatus::Unknown, |condition| condition.status);
        self.cordoned = node.spec.unschedulable;
        self.labels.clone_from(&node.metadata.labels);
        (self.soft_taints, self.taints) =
            taints.partition(|taint| taint.effect == TaintEffect::PreferNoSchedule);
        self.allocatable.clear();
        for (name, amount) in &node.status.allocatable {
            let id = resources.id(name);
            *slot(&mut self.allocatable, id) = offered(id, amount);
        }
    }

    /// Counts a pod in.
    pub(crate) fn add(&mut self, load: &Load) {
        for (id, amount) in &load.amounts {
            let used = slot(&mut self.used, *id);
            *used = used.saturating_add(*amount);
        }
        for (sum, part) in self.nominal.iter_mut().zip(load.nominal) {
            *sum = sum.saturating_add(part);
        }
        self.ports.extend_from_slice(&load.ports);
        if !load.owner.is_empty() {
            *self.owners.entry(load.owner.clone()).or_default() += 1;
        }
    }

    /// Counts a pod out that was counted in.
    pub(crate) fn subtract(&mut self, load: &Load) {
        for (id, amount) in &load.amounts {
            let used = slot(&mut self.used, *id);
            *used = used.saturating_sub(*amount);
        }
        for (sum, part) in self.nominal.iter_mut().zip(load.nominal) {
            *sum = sum.saturating_sub(part);
        }
        for port in &load.ports {
            if let Some(index) = self.ports.iter().position(|taken| taken == port) {
                self.ports.swap_remove(index);
            }
        }
        if let Some(count) = self.owners.get_mut(&load.owner) {
            *count -= 1;
            if *count == 0 {
                self.owners.remove(&load.owner);
            }
        }
    }

    pub(crate) fn allocatable(&self, id: ResourceId) -> i64 {
        self.allocatable.get(id).copied().unwrap_or(0)
    }

    /// What is left; negative where its pods take more than it has.
    pub(crate) fn free(&self, id: ResourceId) -> i64 {
        self.allocatable(id)
            .saturating_sub(self.used.get(id).copied().unwrap_or(0))
    }

    /// The first of these ports that is taken.
    pub(crate) fn taken<'a>(&self, ports: &'a [HostPort]) -> Option<&'a HostPort> {
        ports
            .iter()
            .find(|port| self.ports.iter().any(|taken| taken.conflicts(port)))
    }

    pub(crate) fn pods_of(&self, owner: &str) -> u32 {
        if owner.is_empty() {
            0
        } else {
            self.owners.get(owner).copied().unwrap_or(0)
        }
    }

    /// True where no pod is counted in.
    pub(crate) fn is_empty(&self) -> bool {
        self.used.get(PODS).is_none_or(|count| *count == 0)
    }
}

fn slot(amounts: &mut Vec<i64>, id: ResourceId) -> &mut i64 {
    if amounts.len() <= id {
        amounts.resize(id + 1, 0);
    }
    &mut amounts[id]
}
