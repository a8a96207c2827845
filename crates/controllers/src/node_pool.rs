//! Pools: their nodes get the pool's labels and taints, and the pool says how many nodes it has.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use skep_api::{
    Condition, ConditionStatus, Kind, Node, NodeCondition, NodeConditionType, NodePool, NodePoolStatus,
    ObjectKey, Resource, Taint, well_known,
};
use skep_state::{Change, State, StateEvent};

use crate::{Context, Controller, Reconciled, pods::versions};

const WITHIN_BOUNDS: &str = "WithinBounds";

/// Keeps each pool's status. Its keys are names of pools.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NodePoolController;

/// Gives nodes what their pool says. Its keys are names of nodes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PoolMemberController;

impl Controller for NodePoolController {
    fn name(&self) -> &'static str {
        "node-pool-controller"
    }

    fn wakes(&self, _: &State, event: &StateEvent) -> Vec<ObjectKey> {
        if let Some((before, after)) = versions::<Node>(event) {
            let facts = |node: &Node| {
                (
                    pool_of(node).map(str::to_owned),
                    zone(node).to_owned(),
                    is_ready(node),
                )
            };
            if before.map(facts) == after.map(facts) {
                return Vec::new();
            }
            let pools: BTreeSet<&str> = before.into_iter().chain(after).filter_map(pool_of).collect();
            return pools.into_iter().map(ObjectKey::cluster).collect();
        }
        match (event.kind, &event.after) {
            (Kind::NodePool, Some(_)) => vec![(*event.key).clone()],
            _ => Vec::new(),
        }
    }

    fn all(&self, state: &State) -> Vec<ObjectKey> {
        state.list::<NodePool>(None).map(Resource::key).collect()
    }

    fn reconcile(&self, ctx: &Context<'_>, key: &ObjectKey) -> Reconciled {
        let mut result = Reconciled::default();
        let Some(pool) = ctx.state.get::<NodePool>(key) else {
            return result;
        };
        let status = status(ctx, pool);
        if status != pool.status {
            result.changes.push(Change::update_status(NodePool {
                status,
                ..pool.clone()
            }));
        }
        result
    }
}

impl Controller for PoolMemberController {
    fn name(&self) -> &'static str {
        "pool-member-controller"
    }

    fn wakes(&self, state: &State, event: &StateEvent) -> Vec<ObjectKey> {
        if event.kind == Kind::NodePool {
            let nodes = state.list::<Node>(None);
            return nodes
                .filter(|node| pool_of(node) == Some(&event.key.name))
                .map(Resource::key)
                .collect();
        }
        let Some((before, Some(after))) = versions::<Node>(event) else {
            return Vec::new();
        };
        let facts = |node: &Node| (node.metadata.labels.clone(), node.spec.taints.clone());
        if before.map(facts) == Some(facts(after)) {
            return Vec::new();
        }
        vec![after.key()]
    }

    fn all(&self, state: &State) -> Vec<ObjectKey> {
        state.list::<Node>(None).map(Resource::key).collect()
    }

    fn reconcile(&self, ctx: &Context<'_>, key: &ObjectKey) -> Reconciled {
        let mut result = Reconciled::default();
        let Some(node) = ctx
            .state
            .get::<Node>(key)
            .filter(|node| !node.metadata.is_deleting())
        else {
            return result;
        };
        let pool = pool_of(node).and_then(|name| ctx.state.get::<NodePool>(&ObjectKey::cluster(name)));
        let mut wanted = node.clone();
        give(ctx, pool, &mut wanted);
        if wanted != *node {
            result.changes.push(Change::update(wanted));
        }
        result
    }
}

fn pool_of(node: &Node) -> Option<&str> {
    node.metadata
        .labels
        .get(well_known::POOL)
        .map(String::as_str)
        .filter(|pool| !pool.is_empty())
}

fn zone(node: &Node) -> &str {
    node.metadata
        .labels
        .get(well_known::ZONE)
        .map_or("", String::as_str)
}

fn is_ready(node: &Node) -> bool {
    NodeCondition::is_true(&node.status.conditions, NodeConditionType::Ready)
}

/// What a node has from its pool, so that it can be taken away again.
#[derive(Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Given {
    labels: BTreeMap<String, String>,
    /// Key, value and effect.
    taints: Vec<Taint>,
}

/// Takes away what an earlier pool, or an earlier version of it, gave, and gives what the pool says now.
fn give(ctx: &Context<'_>, pool: Option<&NodePool>, node: &mut Node) {
    let annotation = node.metadata.annotations.get(well_known::POOL_APPLIED);
    let before: Given = annotation
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    let now = pool.map_or_else(Given::default, |pool| given(pool, node, &before));
    for (key, value) in &before.labels {
        if !now.labels.contains_key(key) && node.metadata.labels.get(key) == Some(value) {
            node.metadata.labels.remove(key);
        }
    }
    node.metadata.labels.extend(now.labels.clone());
    node.spec.taints.retain(|taint| {
        now.taints.iter().any(|keep| same(keep, taint)) || !before.taints.iter().any(|old| same(old, taint))
    });
    for taint in &now.taints {
        if !node.spec.taints.iter().any(|have| same(have, taint)) {
            node.spec.taints.push(Taint {
                time_added: Some(ctx.now),
                ..taint.clone()
            });
        }
    }
    if now == Given::default() {
        node.metadata.annotations.remove(well_known::POOL_APPLIED);
    } else if now != before {
        let text = serde_json::to_string(&now).expect("labels and taints are JSON");
        node.metadata
            .annotations
            .insert(well_known::POOL_APPLIED.to_owned(), text);
    }
}

fn given(pool: &NodePool, node: &Node, before: &Given) -> Given {
    let mut labels = pool.spec.labels.clone();
    let own_zone =
        node.metadata.labels.contains_key(well_known::ZONE) && !before.labels.contains_key(well_known::ZONE);
    if let ([zone], false) = (pool.spec.zones.as_slice(), own_zone) {
        labels
            .entry(well_known::ZONE.to_owned())
            .or_insert_with(|| zone.clone());
    }
    let taints = pool.spec.taints.iter().map(|taint| Taint {
        time_added: None,
        ..taint.clone()
    });
    Given {
        labels,
        taints: taints.collect(),
    }
}

fn same(one: &Taint, other: &Taint) -> bool {
    (&one.key, &one.value, one.effect) == (&other.key, &other.value, other.effect)
}

fn status(ctx: &Context<'_>, pool: &NodePool) -> NodePoolStatus {
    let name = pool.metadata.name.as_str();
    let (mut nodes, mut ready_nodes) = (0, 0);
    let mut nodes_by_zone: BTreeMap<String, i32> = BTreeMap::new();
    for node in ctx
        .state
        .list::<Node>(None)
        .filter(|node| pool_of(node) == Some(name))
    {
        nodes += 1;
        ready_nodes += i32::from(is_ready(node));
        *nodes_by_zone.entry(zone(node).to_owned()).or_default() += 1;
    }
    let mut conditions = pool.status.conditions.clone();
    let outside = outside_bounds(pool, &nodes_by_zone);
    if nodes == 0 || outside.is_empty() {
        conditions.retain(|condition| condition.r#type != WITHIN_BOUNDS);
    } else {
        let message = outside.join(", ");
        let known = Condition::find(&conditions, WITHIN_BOUNDS).is_some_and(|old| old.message == message);
        if !known {
            let condition = Condition {
                last_transition_time: Some(ctx.now),
                ..Condition::new(
                    WITHIN_BOUNDS,
                    ConditionStatus::False,
                    "NodesOutsideBounds",
                    message,
                )
            };
            Condition::set(&mut conditions, condition);
        }
    }
    NodePoolStatus {
        observed_generation: pool.metadata.generation,
        nodes,
        ready_nodes,
        nodes_by_zone,
        conditions,
    }
}

/// Zones with fewer or more nodes than there should be.
fn outside_bounds(pool: &NodePool, by_zone: &BTreeMap<String, i32>) -> Vec<String> {
    let spec = &pool.spec;
    let zones: BTreeSet<&str> = by_zone.keys().chain(&spec.zones).map(String::as_str).collect();
    let zones = zones
        .into_iter()
        .map(|zone| (zone, by_zone.get(zone).copied().unwrap_or(0)));
    zones
        .filter_map(|(zone, nodes)| {
            let place = if zone.is_empty() {
                "no zone".to_owned()
            } else {
                format!("zone {zone}")
            };
            let most = spec.max_per_zone.unwrap_or(i32::MAX);
            if nodes < spec.min_per_zone {
                Some(format!(
                    "{nodes} nodes in {place}, {} wanted at least",
                    spec.min_per_zone
                ))
            } else if nodes > most {
                Some(format!("{nodes} nodes in {place}, {most} wanted at most"))
            } else {
                None
            }
        })
        .collect()
}
