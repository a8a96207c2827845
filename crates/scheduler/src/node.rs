//! The nodes: what each says of itself in a row, what it offers and what is left of that in columns.

use std::{collections::BTreeMap, sync::Arc};

use skep_api::{ConditionStatus, Node, NodeConditionType, Taint, TaintEffect};

use crate::{
    bits::Bits,
    load::{HostPort, Load},
    resource::{CPU, MEMORY, ResourceId, Resources, offered},
    score::Scale,
    settings::{SchedulerSettings, Scoring},
    slab::Slab,
};

/// A node as the scheduler sees it.
#[derive(Clone, Debug)]
pub(crate) struct NodeRow {
    pub(crate) name: Arc<str>,
    /// False where pods are bound to a node of this name but there is none.
    pub(crate) exists: bool,
    pub(crate) ready: ConditionStatus,
    pub(crate) cordoned: bool,
    pub(crate) labels: BTreeMap<String, String>,
    /// The taints that keep pods away, `NoSchedule` and `NoExecute`.
    pub(crate) taints: Vec<Taint>,
    /// The taints that put pods off, `PreferNoSchedule`.
    pub(crate) soft_taints: Vec<Taint>,
    /// Its images by number, with their bytes.
    pub(crate) images: Vec<(usize, i64)>,
    /// Its pods.
    pub(crate) pods: Vec<u32>,
    /// Ports its pods take, one entry for each pod that takes it.
    pub(crate) ports: Vec<HostPort>,
    /// Pods for which room is being made here.
    pub(crate) nominated: Vec<Nominated>,
    pub(crate) scoring: Scoring,
}

/// A pod for which room is being made.
#[derive(Clone, Debug)]
pub(crate) struct Nominated {
    pub(crate) uid: Arc<str>,
    pub(crate) priority: i32,
    pub(crate) load: Arc<Load>,
}

/// All nodes. Amounts stand in columns, by resource and then by node.
#[derive(Clone, Debug, Default)]
pub(crate) struct Nodes {
    pub(crate) rows: Slab<NodeRow>,
    by_name: BTreeMap<Arc<str>, usize>,
    /// The place of each node in the order of names; outdated where `unordered`.
    ranks: Vec<u32>,
    unordered: bool,
    allocatable: Vec<Vec<i64>>,
    /// Wide enough for any sum of what pods ask for.
    used: Vec<Vec<i128>>,
    free: Vec<Vec<i64>>,
    /// CPU and memory that count towards scores: what is in use, and what one unit is worth.
    nominal: [Vec<i64>; 2],
    scales: [Vec<Scale>; 2],
    /// The nodes for which room is being made for some pod.
    pub(crate) reserved: Bits,
}

/// What of a node has changed, as far as anybody keeps books of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Changed {
    /// Labels, taints, readiness, cordon, or whether it exists.
    pub(crate) standing: bool,
    /// Labels.
    pub(crate) labels: bool,
}

impl Nodes {
    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// The node of this name, which need not exist.
    pub(crate) fn row(&mut self, name: &str) -> usize {
        if let Some(index) = self.find(name) {
            return index;
        }
        let name: Arc<str> = name.into();
        let index = self.rows.insert(NodeRow::named(Arc::clone(&name)));
        self.by_name.insert(name, index);
        self.unordered = true;
        for column in &mut self.nominal {
            column.resize(column.len().max(index + 1), 0);
            column[index] = 0;
        }
        for column in &mut self.scales {
            column.resize(column.len().max(index + 1), Scale::default());
        }
        for resource in 0..self.free.len() {
            self.widen(resource, index);
            self.used[resource][index] = 0;
            self.offer(resource, index, 0);
        }
        index
    }

    pub(crate) fn forget(&mut self, index: usize) {
        let gone = self.rows.remove(index);
        self.by_name.remove(&gone.name);
        self.unordered = true;
    }

    /// What would change with this node, before it does.
    pub(crate) fn compare(&self, index: usize, node: &Node) -> Changed {
        let row = &self.rows[index];
        let labels = !row.exists || row.labels != node.metadata.labels;
        let taints = row.taints.iter().chain(&row.soft_taints);
        let same_taints = row.taints.len() + row.soft_taints.len() == node.spec.taints.len()
            && taints.clone().all(|taint| node.spec.taints.contains(taint));
        let standing =
            labels || !same_taints || row.cordoned != node.spec.unschedulable || row.ready != ready(node);
        Changed { standing, labels }
    }

    /// Takes over what the object says and keeps what the pods take up.
    pub(crate) fn set(
        &mut self,
        index: usize,
        node: &Node,
        resources: &mut Resources,
        settings: &SchedulerSettings,
    ) {
        let row = &mut self.rows[index];
        row.exists = true;
        row.ready = ready(node);
        row.cordoned = node.spec.unschedulable;
        row.labels.clone_from(&node.metadata.labels);
        let taints = node.spec.taints.iter().cloned();
        (row.soft_taints, row.taints) =
            taints.partition(|taint| taint.effect == TaintEffect::PreferNoSchedule);
        row.scoring = settings.of(&row.labels);
        for resource in 0..self.free.len() {
            let name = resources.name(resource);
            // A column that does not reach the node says already that it has nothing.
            let told = self.free[resource].len() > index;
            if told && !node.status.allocatable.contains_key(name) {
                self.offer(resource, index, 0);
            }
        }
        for (name, amount) in &node.status.allocatable {
            let id = resources.id(name);
            self.widen(id, index);
            self.offer(id, index, offered(id, amount));
        }
        for (scale, id) in [CPU, MEMORY].into_iter().enumerate() {
            self.scales[scale][index] = Scale::of(self.allocatable(id, index));
        }
    }

    pub(crate) fn set_scoring(&mut self, settings: &SchedulerSettings) {
        for (_, row) in self.rows.iter_mut() {
            row.scoring = settings.of(&row.labels);
        }
    }

    fn widen(&mut self, resource: ResourceId, index: usize) {
        if self.free.get(resource).is_some_and(|column| column.len() > index) {
            return;
        }
        let resources = self.free.len().max(resource + 1);
        let nodes = self.rows.bound().max(index + 1);
        self.allocatable.resize_with(resources, Vec::new);
        self.used.resize_with(resources, Vec::new);
        self.free.resize_with(resources, Vec::new);
        self.allocatable[resource].resize(nodes, 0);
        self.used[resource].resize(nodes, 0);
        self.free[resource].resize(nodes, 0);
    }

    fn offer(&mut self, resource: ResourceId, index: usize, amount: i64) {
        self.allocatable[resource][index] = amount;
        self.refresh(resource, index);
    }

    fn refresh(&mut self, resource: ResourceId, index: usize) {
        let left = i128::from(self.allocatable[resource][index]) - self.used[resource][index];
        let held = left.clamp(i64::MIN.into(), i64::MAX.into());
        self.free[resource][index] = i64::try_from(held).expect("held within bounds");
    }

    /// Counts what a pod takes up in (1) or out (-1).
    pub(crate) fn weigh(&mut self, index: usize, load: &Load, sign: i64) {
        for (id, amount) in &load.amounts {
            self.widen(*id, index);
            self.used[*id][index] += i128::from(*amount) * i128::from(sign);
            self.refresh(*id, index);
        }
        for (column, amount) in self.nominal.iter_mut().zip(load.nominal) {
            column[index] += amount * sign;
        }
        if load.ports.is_empty() {
            return;
        }
        let ports = &mut self.rows[index].ports;
        if sign > 0 {
            ports.extend_from_slice(&load.ports);
            return;
        }
        for port in &load.ports {
            if let Some(at) = ports.iter().position(|taken| taken == port) {
                ports.swap_remove(at);
            }
        }
    }

    pub(crate) fn allocatable(&self, id: ResourceId, index: usize) -> i64 {
        column(&self.allocatable, id, index)
    }

    /// What is left; negative where its pods take more than it has.
    pub(crate) fn free(&self, id: ResourceId, index: usize) -> i64 {
        column(&self.free, id, index)
    }

    /// The column of what is left of a resource; shorter where no node has any.
    pub(crate) fn free_column(&self, id: ResourceId) -> &[i64] {
        self.free.get(id).map_or(&[], Vec::as_slice)
    }

    /// What counts as in use of CPU (0) or memory (1).
    pub(crate) fn in_use(&self, at: usize, index: usize) -> i64 {
        self.nominal[at].get(index).copied().unwrap_or(0)
    }

    /// CPU and memory in use with so much more, in thousandths.
    pub(crate) fn fractions(&self, index: usize, more: [i64; 2]) -> [i64; 2] {
        [0, 1].map(|at| self.scales[at][index].fraction(self.nominal[at][index] + more[at]))
    }

    /// Puts the nodes in the order of their names, for those who ask for ranks.
    pub(crate) fn order(&mut self) {
        if !std::mem::take(&mut self.unordered) {
            return;
        }
        self.ranks.clear();
        self.ranks.resize(self.rows.bound(), 0);
        for (rank, index) in self.by_name.values().enumerate() {
            self.ranks[*index] = u32::try_from(rank).expect("nodes are fewer than 2^32");
        }
    }

    /// The node's place in the order of names.
    pub(crate) fn rank(&self, index: usize) -> u32 {
        self.ranks[index]
    }

    /// All that exist, in the order of names.
    pub(crate) fn existing(&self) -> impl Iterator<Item = (usize, &NodeRow)> {
        let rows = self.by_name.values().map(|index| (*index, &self.rows[*index]));
        rows.filter(|(_, row)| row.exists)
    }
}

impl NodeRow {
    fn named(name: Arc<str>) -> Self {
        Self {
            name,
            exists: false,
            ready: ConditionStatus::Unknown,
            cordoned: false,
            labels: BTreeMap::new(),
            taints: Vec::new(),
            soft_taints: Vec::new(),
            images: Vec::new(),
            pods: Vec::new(),
            ports: Vec::new(),
            nominated: Vec::new(),
            scoring: Scoring::Spread,
        }
    }

    /// The first of these ports that is taken.
    pub(crate) fn taken<'a>(&self, ports: &'a [HostPort]) -> Option<&'a HostPort> {
        ports
            .iter()
            .find(|port| self.ports.iter().any(|taken| taken.conflicts(port)))
    }
}

fn column(columns: &[Vec<i64>], id: ResourceId, index: usize) -> i64 {
    columns
        .get(id)
        .and_then(|column| column.get(index))
        .copied()
        .unwrap_or(0)
}

fn ready(node: &Node) -> ConditionStatus {
    let mut conditions = node.status.conditions.iter();
    let ready = conditions.find(|condition| condition.r#type == NodeConditionType::Ready);
    ready.map_or(ConditionStatus::Unknown, |condition| condition.status)
}
