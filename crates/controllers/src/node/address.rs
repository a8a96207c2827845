//! Each node's block of pod addresses.

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
    let name = &node.metadata.name;
    let waiting = ctx
        .state
        .list::<Node>(None)
        .filter(|other| other.spec.pod_cidr.is_empty());
    let place = waiting.take_while(|other| other.metadata.name != *name).count();
    match free_block(ctx, place) {
        Some(block) => {
            node.spec.pod_cidr = block.to_string();
            node.spec.pod_cidrs = vec![block.to_string()];
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

/// The free block at that place.
fn free_block(ctx: &Context<'_>, place: usize) -> Option<Ipv4Block> {
    let (cluster, prefix) = (ctx.settings.cluster_cidr, ctx.settings.node_cidr_prefix);
    let nodes = ctx.state.list::<Node>(None);
    let taken: Vec<Ipv4Block> = nodes
        .flat_map(|node| node.spec.pod_cidrs.iter().chain([&node.spec.pod_cidr]))
        .filter_map(|block| block.parse().ok())
        .collect();
    let mut taken_places: Vec<u64> = taken
        .iter()
        .flat_map(|block| cluster.places(prefix, block))
        .collect();
    taken_places.sort_unstable();
    let mut free = (0..cluster.blocks(prefix)).filter(|index| taken_places.binary_search(index).is_err());
    let index = free.nth(place)?;
    cluster.block(prefix, index)
}
