//! How a simulated cluster ended up, for people and for programs.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::Serialize;
use skep_api::{
    Condition, Deployment, Node, NodeCondition, NodeConditionType, ObjectKey, Pod, ReplicaSet, Resource,
    well_known,
};
use skep_state::State;

use crate::Waits;

/// Rows of a table that people read; programs get all of them.
const ROWS_MAX: usize = 40;

/// How a simulated cluster ended up.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// What the scenario shows.
    pub title: String,
    /// How much time was simulated.
    pub simulated_seconds: u64,
    /// Nodes by pool; those in no pool under `-`.
    pub pools: BTreeMap<String, PoolReport>,
    /// Workloads, and pods of none, by `NAMESPACE/NAME`.
    pub workloads: BTreeMap<String, WorkloadReport>,
    /// Pods that found no node, by why.
    pub pending: Vec<PendingGroup>,
    /// From a pod's creation to its binding.
    pub placed: Waits,
    /// From a pod's creation to its being ready.
    pub started: Waits,
    /// What happened, counted by the reason of its events.
    pub events: BTreeMap<String, u64>,
}

/// The nodes of a pool.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PoolReport {
    /// How many there are.
    pub nodes: usize,
    /// Those that are ready.
    pub ready: usize,
    /// The pods on them that have not ended.
    pub pods: usize,
    /// The share of their CPU that is requested, in percent.
    pub cpu_percent: u64,
    /// The share of their memory that is requested, in percent.
    pub memory_percent: u64,
    /// Pods of the fullest node less pods of the emptiest.
    pub skew: usize,
}

/// A workload and its pods.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadReport {
    /// How many pods it is to have.
    pub wanted: usize,
    /// Those that are ready.
    pub ready: usize,
    /// Those that found no node.
    pub pending: usize,
    /// Those that have done their work or failed.
    pub ended: usize,
    /// How many nodes they are on, apart from those on their way out.
    pub nodes: usize,
    /// How many pods each zone has that are not on their way out; nodes without a zone count as `-`.
    pub zones: BTreeMap<String, usize>,
}

/// Pods that wait for the same reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PendingGroup {
    /// The workload.
    pub workload: String,
    /// How many of its pods.
    pub pods: usize,
    /// Why, in the scheduler's words.
    pub why: String,
}

#[derive(Default)]
struct Room {
    cpu: [i64; 2],
    memory: [i64; 2],
    pods_on_nodes: Vec<usize>,
}

/// What the state alone shows.
pub(crate) fn of(state: &State) -> Report {
    Report {
        pools: pools(state),
        workloads: workloads(state),
        pending: pending(state),
        ..Report::default()
    }
}

fn pools(state: &State) -> BTreeMap<String, PoolReport> {
    let mut pools: BTreeMap<String, (PoolReport, Room)> = BTreeMap::new();
    for node in state.list::<Node>(None) {
        let (pool, room) = pools.entry(label(node, well_known::POOL)).or_default();
        let pods: Vec<&Pod> = state
            .pods_on(&node.metadata.name)
            .filter(|pod| !pod.is_terminal())
            .collect();
        pool.nodes += 1;
        pool.ready += usize::from(NodeCondition::is_true(
            &node.status.conditions,
            NodeConditionType::Ready,
        ));
        pool.pods += pods.len();
        room.pods_on_nodes.push(pods.len());
        for (name, sums) in [("cpu", &mut room.cpu), ("memory", &mut room.memory)] {
            let requested = pods.iter().filter_map(|pod| pod.requests().get(name).copied());
            sums[0] += requested
                .map(|amount| amount.millis() / divisor(name))
                .sum::<i64>();
            sums[1] += node
                .status
                .allocatable
                .get(name)
                .map_or(0, |amount| amount.millis() / divisor(name));
        }
    }
    let finish = |(name, (mut pool, room)): (String, (PoolReport, Room))| {
        pool.cpu_percent = percent(room.cpu);
        pool.memory_percent = percent(room.memory);
        let (most, least) = (room.pods_on_nodes.iter().max(), room.pods_on_nodes.iter().min());
        pool.skew = most.zip(least).map_or(0, |(most, least)| most - least);
        (name, pool)
    };
    pools.into_iter().map(finish).collect()
}

/// Sums of bytes in thousandths would not fit.
fn divisor(resource: &str) -> i64 {
    if resource == "memory" { 1_000_000 } else { 1 }
}

fn percent([part, whole]: [i64; 2]) -> u64 {
    let share = part.saturating_mul(100).checked_div(whole).unwrap_or(0);
    u64::try_from(share).unwrap_or(0)
}

fn workloads(state: &State) -> BTreeMap<String, WorkloadReport> {
    let mut workloads: BTreeMap<String, WorkloadReport> = BTreeMap::new();
    let mut nodes: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for deployment in state.list::<Deployment>(None) {
        let wanted = usize::try_from(deployment.spec.replicas).unwrap_or(0);
        workloads.entry(deployment.key().to_string()).or_default().wanted = wanted;
    }
    for pod in state.list::<Pod>(None) {
        let (name, wanted) = workload(state, pod);
        let report = workloads.entry(name.clone()).or_default();
        report.wanted = wanted.unwrap_or(report.wanted + 1);
        if pod.is_terminal() {
            report.ended += 1;
            continue;
        }
        if pod.spec.node_name.is_empty() {
            report.pending += 1;
            continue;
        }
        // A pod of a lost node goes as far as it can: it is not there any more for anybody who counts on it.
        if pod.metadata.is_deleting() {
            continue;
        }
        report.ready += usize::from(pod.is_ready());
        let node = state.get::<Node>(&ObjectKey::cluster(&pod.spec.node_name));
        let zone = node.map_or_else(|| "-".to_owned(), |node| label(node, well_known::ZONE));
        *report.zones.entry(zone).or_default() += 1;
        let on = nodes.entry(name).or_default();
        on.insert(&pod.spec.node_name);
        report.nodes = on.len();
    }
    workloads
}

fn label(node: &Node, key: &str) -> String {
    node.metadata
        .labels
        .get(key)
        .cloned()
        .unwrap_or_else(|| "-".to_owned())
}

/// The workload that a pod belongs to in the end, and how many pods that is to have; a pod of none stands for itself.
fn workload(state: &State, pod: &Pod) -> (String, Option<usize>) {
    let size = |replicas: i32| usize::try_from(replicas).ok();
    let in_namespace = |name: &str| ObjectKey::new(&pod.metadata.namespace, name);
    let Some(owner) = pod.metadata.controller() else {
        return (pod.key().to_string(), Some(1));
    };
    let key = in_namespace(&owner.name);
    let Some(set) = state
        .get::<ReplicaSet>(&key)
        .filter(|_| owner.kind == "ReplicaSet")
    else {
        return (key.to_string(), None);
    };
    match set.metadata.controller() {
        Some(owner) => {
            let key = in_namespace(&owner.name);
            let deployment = state.get::<Deployment>(&key);
            let wanted = deployment.and_then(|deployment| size(deployment.spec.replicas));
            (key.to_string(), wanted)
        }
        None => (key.to_string(), size(set.spec.replicas)),
    }
}

fn pending(state: &State) -> Vec<PendingGroup> {
    let mut groups: BTreeMap<(String, String), usize> = BTreeMap::new();
    for pod in state.unbound_pods().filter(|pod| !pod.is_terminal()) {
        let condition = Condition::find(&pod.status.conditions, "PodScheduled");
        let why = condition.map_or("not looked at yet", |condition| &condition.message);
        let (name, _) = workload(state, pod);
        *groups.entry((name, why.to_owned())).or_default() += 1;
    }
    let group = |((workload, why), pods)| PendingGroup { workload, pods, why };
    groups.into_iter().map(group).collect()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.title.is_empty() {
            writeln!(f, "{}\n", self.title)?;
        }
        self.write_pools(f)?;
        self.write_workloads(f)?;
        writeln!(f, "\nPods placed  {:>8}  {}", self.placed.count, self.placed)?;
        writeln!(f, "Pods ready   {:>8}  {}", self.started.count, self.started)?;
        if !self.events.is_empty() {
            let events = self
                .events
                .iter()
                .map(|(reason, count)| format!("{reason} {count}"));
            writeln!(f, "Events       {}", events.collect::<Vec<_>>().join(", "))?;
        }
        self.write_pending(f)
    }
}

impl Report {
    fn write_pools(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<20} {:>6} {:>6} {:>7} {:>5} {:>7} {:>5}",
            "POOL", "NODES", "READY", "PODS", "CPU", "MEMORY", "SKEW"
        )?;
        for (name, pool) in &self.pools {
            writeln!(
                f,
                "{name:<20} {:>6} {:>6} {:>7} {:>4}% {:>6}% {:>5}",
                pool.nodes, pool.ready, pool.pods, pool.cpu_percent, pool.memory_percent, pool.skew
            )?;
        }
        Ok(())
    }

    fn write_workloads(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\n{:<36} {:>6} {:>6} {:>7} {:>5} {:>5}  ZONES",
            "WORKLOAD", "WANTED", "READY", "PENDING", "ENDED", "NODES"
        )?;
        for (name, workload) in self.workloads.iter().take(ROWS_MAX) {
            let zones = workload.zones.iter().map(|(zone, pods)| format!("{zone}:{pods}"));
            writeln!(
                f,
                "{name:<36} {:>6} {:>6} {:>7} {:>5} {:>5}  {}",
                workload.wanted,
                workload.ready,
                workload.pending,
                workload.ended,
                workload.nodes,
                zones.collect::<Vec<_>>().join(" ")
            )?;
        }
        match self.workloads.len().saturating_sub(ROWS_MAX) {
            0 => Ok(()),
            more => writeln!(f, "... and {more} more: -o json shows all"),
        }
    }

    fn write_pending(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for group in self.pending.iter().take(ROWS_MAX) {
            let PendingGroup { workload, pods, why } = group;
            writeln!(f, "Pending      {pods:>8}  {workload}: {why}")?;
        }
        match self.pending.len().saturating_sub(ROWS_MAX) {
            0 => Ok(()),
            more => writeln!(f, "... and {more} more"),
        }
    }
}
