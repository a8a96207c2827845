//! How well a node suits a pod that fits on it.
//!
//! A score depends on nothing but the node and the wish, in whole numbers: so placing a pod changes the score of its own
//! node only, and the same input gives the same placement on every platform.

use std::cmp::Reverse;

use crate::{
    node::NodeRow,
    resource::{CPU, MEMORY},
    wish::Wish,
};

/// Full marks in one respect.
const FULL: i64 = 1000;

/// Larger is better. Taints that put pods off come first: such a node is taken only where no other fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Score {
    untolerated: Reverse<usize>,
    marks: i64,
}

pub(crate) fn score(wish: &Wish, node: &NodeRow) -> Score {
    let untolerated = node
        .soft_taints
        .iter()
        .filter(|taint| !wish.tolerates(taint))
        .count();
    let [cpu, memory] = fractions(wish, node);
    Score {
        untolerated: Reverse(untolerated),
        marks: least_allocated(cpu, memory) + balanced(cpu, memory) + spread(wish, node),
    }
}

/// The parts of CPU and memory that would be in use with the pod, in thousandths.
fn fractions(wish: &Wish, node: &NodeRow) -> [i64; 2] {
    [CPU, MEMORY].map(|id| {
        let used = i128::from(node.nominal[id]) + i128::from(wish.load.nominal[id]);
        let total = i128::from(node.allocatable(id)).max(1);
        i64::try_from((used * i128::from(FULL) / total).min(i128::from(FULL))).unwrap_or(FULL)
    })
}

/// More for nodes with more room.
fn least_allocated(cpu: i64, memory: i64) -> i64 {
    FULL - (cpu + memory) / 2
}

/// More for nodes whose CPU and memory would be used evenly.
fn balanced(cpu: i64, memory: i64) -> i64 {
    FULL - (cpu - memory).abs() / 2
}

/// More for nodes with fewer pods of the same owner: the first copies weigh most.
fn spread(wish: &Wish, node: &NodeRow) -> i64 {
    4 * FULL / (1 + i64::from(node.pods_of(&wish.load.owner)))
}
