//! Each node's block of pod addresses.

use std::collections::BTreeMap;

use skep_api::Node;

use super::{NAME, taints};
use crate::{Context, EventNote, Ipv4Block, Reconciled};

/// Gives a node without block one that overlaps no other node's.
///
/// Nodes that wait at the same time each get another one, though all look at the same state: the first free one for the first
/// of them by name, and so on. A block is free again when its node is gone.
pub(super) fn assign(ctx: &Context<'_>, node: &mut Node, result: &mut Reconciled) {
    if !node.spec.pod_cidr.is_empty() {
        return;
    }
    let addresses = ctx.shared.addresses.get_or_init(|| Addresses::of(ctx));
    match addresses.block_of(ctx, &node.metadata.name) {
        Some(block) => {
            node.spec.pod_cidr = block.to_string();
            node.spec.pod_cidrs = vec![block.to_string()];
            let name = &node.metadata.name;
            let message = format!("Node {name} is registered; its pods get addresses from {block}");
            result
                .events
                .push(EventNote::normal(node, NAME, "RegisteredNode", message));
        }
        None if taints::is_without_network(node) => {}
        None => {
            let cluster = ctx.settings.cluster_cidr;
            let message = format!(
                "No block of {cluster} is left for the node's pods: enlarge the cluster's address range"
            );
            result
                .events
                .push(EventNote::warning(node, NAME, "CIDRNotAvailable", message));
        }
    }
}

/// Which nodes wait for a block, and which blocks are free for them.
#[derive(Debug, Default)]
pub(crate) struct Addresses {
    /// The place of each node in the queue.
    waiting: BTreeMap<String, usize>,
    /// Free blocks by number, as many as nodes wait, or all where there are fewer.
    free: Vec<u64>,
}

impl Addresses {
    fn of(ctx: &Context<'_>) -> Self {
        let (cluster, prefix) = (ctx.settings.cluster_cidr, ctx.settings.node_cidr_prefix);
        let nodes = || ctx.state.list::<Node>(None);
        let waiting = nodes().filter(|node| node.spec.pod_cidr.is_empty());
        let waiting: BTreeMap<String, usize> = waiting
            .enumerate()
            .map(|(place, node)| (node.metadata.name.clone(), place))
            .collect();
        let blocks = nodes().flat_map(|node| node.spec.pod_cidrs.iter().chain([&node.spec.pod_cidr]));
        let blocks = blocks.filter_map(|block| block.parse::<Ipv4Block>().ok());
        let mut taken: Vec<u64> = blocks.flat_map(|block| cluster.places(prefix, &block)).collect();
        taken.sort_unstable();
        let free = (0..cluster.blocks(prefix)).filter(|index| taken.binary_search(index).is_err());
        Self {
            free: free.take(waiting.len()).collect(),
            waiting,
        }
    }

    fn block_of(&self, ctx: &Context<'_>, node: &str) -> Option<Ipv4Block> {
        let index = self.free.get(*self.waiting.get(node)?)?;
        ctx.settings
            .cluster_cidr
            .block(ctx.settings.node_cidr_prefix, *index)
    }
}
