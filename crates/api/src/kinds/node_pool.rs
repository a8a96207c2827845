//! Nodes of one sort.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Condition, ObjectMeta, Quantity, Taint, is_default};

/// Nodes of one sort: those with the label `skep.io/pool` of its name (`skep agent --pool NAME`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct NodePool {
    /// Name, labels and the like; the name is what the nodes' label `skep.io/pool` says.
    pub metadata: ObjectMeta,
    /// Desired state.
    #[serde(skip_serializing_if = "is_default")]
    pub spec: NodePoolSpec,
    /// Observed state.
    #[serde(skip_serializing_if = "is_default")]
    pub status: NodePoolStatus,
}

/// What the nodes of a pool have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct NodePoolSpec {
    /// What the pool is for.
    #[serde(skip_serializing_if = "is_default")]
    pub description: String,
    /// Labels that its nodes get, in place of their own.
    #[serde(skip_serializing_if = "is_default")]
    pub labels: BTreeMap<String, String>,
    /// Taints that its nodes get.
    #[serde(skip_serializing_if = "is_default")]
    pub taints: Vec<Taint>,
    /// The zones its nodes are in; where there is one alone, nodes that name none are in it.
    #[serde(skip_serializing_if = "is_default")]
    pub zones: Vec<String>,
    /// What a node costs an hour, in the currency you count in.
    #[serde(skip_serializing_if = "is_default")]
    pub price_per_hour: Option<Quantity>,
    /// The fewest nodes there should be in each zone.
    #[serde(skip_serializing_if = "is_default")]
    pub min_per_zone: i32,
    /// The most nodes there should be in each zone; any number where not stated.
    #[serde(skip_serializing_if = "is_default")]
    pub max_per_zone: Option<i32>,
    /// How pods are distributed over its nodes; as in the rest of the cluster where not stated.
    #[serde(skip_serializing_if = "is_default")]
    pub scoring: Option<PoolScoring>,
}

/// How pods are distributed over nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PoolScoring {
    /// To the nodes with the most room.
    #[default]
    Spread,
    /// To the nodes with the least room that is enough, so that others stay empty.
    BinPack,
}

/// Observed state of a pool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct NodePoolStatus {
    /// The generation this status was made for.
    #[serde(skip_serializing_if = "is_default")]
    pub observed_generation: i64,
    /// How many nodes it has.
    pub nodes: i32,
    /// How many of them are ready.
    pub ready_nodes: i32,
    /// How many nodes are in each zone; those in none are at the empty name.
    #[serde(skip_serializing_if = "is_default")]
    pub nodes_by_zone: BTreeMap<String, i32>,
    /// How it is doing: WithinBounds.
    #[serde(skip_serializing_if = "is_default")]
    pub conditions: Vec<Condition>,
}
