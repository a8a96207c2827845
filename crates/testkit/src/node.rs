//! Nodes.

use skep_api::{
    ConditionStatus, Node, NodeAddress, NodeAddressType, NodeCondition, NodeConditionType, NodeSpec,
    NodeStatus, Taint, TaintEffect,
};

use crate::meta::{builder, meta};

/// Builds a [`Node`]: ready, with 4 CPUs, 16 GiB of memory, 100 GiB of disk and room for 110 pods.
#[derive(Clone, Debug)]
pub struct NodeBuilder(pub(crate) Node);

builder!(NodeBuilder, Node);

/// A node of this name.
pub fn node(name: &str) -> NodeBuilder {
    let status = NodeStatus {
        addresses: vec![NodeAddress {
            r#type: NodeAddressType::Hostname,
            address: name.to_owned(),
        }],
        ..NodeStatus::default()
    };
    NodeBuilder(Node {
        metadata: meta("", name),
        spec: NodeSpec::default(),
        status,
    })
    .label("kubernetes.io/hostname", name)
    .cpu("4")
    .memory("16Gi")
    .resource("ephemeral-storage", "100Gi")
    .pods(110)
    .condition(NodeConditionType::MemoryPressure, ConditionStatus::False)
    .condition(NodeConditionType::DiskPressure, ConditionStatus::False)
    .condition(NodeConditionType::PIDPressure, ConditionStatus::False)
    .condition(NodeConditionType::Ready, ConditionStatus::True)
}

impl NodeBuilder {
    /// Sets its CPUs.
    #[must_use]
    pub fn cpu(self, amount: &str) -> Self {
        self.resource("cpu", amount)
    }

    /// Sets its memory.
    #[must_use]
    pub fn memory(self, amount: &str) -> Self {
        self.resource("memory", amount)
    }

    /// Sets how many pods it takes.
    #[must_use]
    pub fn pods(self, count: u32) -> Self {
        self.resource("pods", &count.to_string())
    }

    /// Sets capacity and allocatable of any resource.
    #[must_use]
    pub fn resource(mut self, name: &str, amount: &str) -> Self {
        let amount = crate::quantity(amount);
        self.0.status.capacity.insert(name.to_owned(), amount);
        self.0.status.allocatable.insert(name.to_owned(), amount);
        self
    }

    /// Takes no new pods, as after `skep cordon`.
    #[must_use]
    pub fn cordoned(mut self) -> Self {
        self.0.spec.unschedulable = true;
        self
    }

    /// Adds a taint, as of [`crate::start`].
    #[must_use]
    pub fn taint(mut self, key: &str, value: &str, effect: TaintEffect) -> Self {
        let time_added = Some(crate::start());
        self.0.spec.taints.push(Taint {
            key: key.to_owned(),
            value: value.to_owned(),
            effect,
            time_added,
        });
        self
    }

    /// Sets the block its pods' addresses come from.
    #[must_use]
    pub fn pod_cidr(mut self, block: &str) -> Self {
        self.0.spec.pod_cidr = block.to_owned();
        self.0.spec.pod_cidrs = vec![block.to_owned()];
        self
    }

    /// Says of itself that it is not ready.
    #[must_use]
    pub fn not_ready(self) -> Self {
        self.condition(NodeConditionType::Ready, ConditionStatus::False)
    }

    /// Sets a condition, as of [`crate::start`].
    #[must_use]
    pub fn condition(mut self, r#type: NodeConditionType, status: ConditionStatus) -> Self {
        self.0
            .status
            .conditions
            .retain(|condition| condition.r#type != r#type);
        self.0.status.conditions.push(NodeCondition {
            r#type,
            status,
            last_heartbeat_time: Some(crate::start()),
            last_transition_time: Some(crate::start()),
            ..NodeCondition::default()
        });
        self
    }
}
