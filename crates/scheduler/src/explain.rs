//! Why a pod fits on no node, in words.

use std::{collections::BTreeMap, fmt};

use crate::{
    filter::{Obstacle, Rejection, obstacles},
    node::NodeRow,
    resource::{PODS, Resources, written},
    wish::Wish,
};

/// How many different rejections are told in words.
const TOLD_MAX: usize = 10;

/// Why a pod fits on no node. `Display` gives it in words:
/// `0/3 nodes fit: 2 have too little cpu (250m wanted, 100m free at most), 1 is cordoned`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// How many nodes there are.
    pub nodes: usize,
    /// What stands against how many of them, the most frequent first. A node that lacks several resources counts under each.
    pub rejections: Vec<(Rejection, usize)>,
    /// For each resource in `rejections`: what is wanted and what the node with most has left.
    shortages: Vec<Shortage>,
    /// The resources of which the pod wants more than any node has, even empty: it can never fit.
    never: Vec<Shortage>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Shortage {
    resource: String,
    wanted: String,
    most: String,
}

impl Explanation {
    /// True where the pod asks for more than any node of the cluster has, even empty.
    pub fn never_fits(&self) -> bool {
        !self.never.is_empty()
    }

    /// True where it is the pod's own scheduling gates that hold it back.
    pub fn is_gated(&self) -> bool {
        false
    }

    pub(crate) fn of(wish: &Wish, nodes: &[NodeRow], resources: &Resources) -> Self {
        let nodes: Vec<&NodeRow> = nodes.iter().filter(|node| node.exists).collect();
        let mut counts = BTreeMap::new();
        let mut free_max = BTreeMap::new();
        for node in &nodes {
            for obstacle in obstacles(wish, node) {
                if let Obstacle::Resource(id) = obstacle {
                    let free = free_max.entry(id).or_insert(0);
                    *free = node.free(id).max(*free);
                }
                *counts.entry(obstacle.rejection(wish, resources)).or_insert(0) += 1;
            }
        }
        let mut rejections: Vec<(Rejection, usize)> = counts.into_iter().collect();
        rejections.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let amounts = wish.load.amounts.iter();
        let shortages = amounts
            .filter_map(|(id, wanted)| Some(shortage(resources, *id, *wanted, *free_max.get(id)?)))
            .collect();
        Self {
            nodes: nodes.len(),
            rejections,
            shortages,
            never: never(wish, &nodes, resources),
        }
    }
}

fn never(wish: &Wish, nodes: &[&NodeRow], resources: &Resources) -> Vec<Shortage> {
    let larger_than_all = |(id, wanted): &&(usize, i64)| {
        !nodes.is_empty() && nodes.iter().all(|node| *wanted > node.allocatable(*id))
    };
    let largest = |id| nodes.iter().map(|node| node.allocatable(id)).max().unwrap_or(0);
    let amounts = wish.load.amounts.iter().filter(|(id, _)| *id != PODS);
    amounts
        .filter(larger_than_all)
        .map(|(id, wanted)| shortage(resources, *id, *wanted, largest(*id)))
        .collect()
}

fn shortage(resources: &Resources, id: usize, wanted: i64, most: i64) -> Shortage {
    Shortage {
        resource: resources.name(id).to_owned(),
        wanted: written(id, wanted),
        most: written(id, most),
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0/{} nodes fit", self.nodes)?;
        if self.nodes == 0 {
            return f.write_str(": the cluster has no nodes yet");
        }
        for (index, (rejection, count)) in self.rejections.iter().take(TOLD_MAX).enumerate() {
            f.write_str(if index == 0 { ": " } else { ", " })?;
            self.write_rejection(f, rejection, *count)?;
        }
        let untold: usize = self
            .rejections
            .iter()
            .skip(TOLD_MAX)
            .map(|(_, count)| count)
            .sum();
        if untold > 0 {
            write!(f, ", {untold} for other reasons")?;
        }
        for (index, short) in self.never.iter().enumerate() {
            f.write_str(if index == 0 { "; it can never fit: " } else { ", " })?;
            write!(
                f,
                "{} {} wanted, the largest node has {}",
                short.wanted, short.resource, short.most
            )?;
        }
        Ok(())
    }
}

impl Explanation {
    fn write_rejection(&self, f: &mut fmt::Formatter<'_>, why: &Rejection, count: usize) -> fmt::Result {
        let one = count == 1;
        let (is, has, lacks) = if one {
            ("is", "has", "lacks")
        } else {
            ("are", "have", "lack")
        };
        match why {
            Rejection::OtherNode { wanted } if one => write!(f, "{count} is not {wanted}, the node it names"),
            Rejection::OtherNode { wanted } => write!(f, "{count} are not {wanted}, the node it names"),
            Rejection::Cordoned => write!(f, "{count} {is} cordoned"),
            Rejection::NotReady => write!(f, "{count} {is} not ready"),
            Rejection::Label { wanted } => write!(f, "{count} {lacks} the label {wanted}"),
            Rejection::Taint { taint } => {
                write!(f, "{count} {has} the taint {taint}, which it does not tolerate")
            }
            Rejection::Pods => write!(f, "{count} {has} no room for more pods"),
            Rejection::HostPort { port } => write!(f, "{count} {has} the host port {port} taken"),
            Rejection::Resource { resource } => {
                write!(f, "{count} {has} too little {resource}")?;
                match self.shortages.iter().find(|short| short.resource == *resource) {
                    Some(short) => write!(f, " ({} wanted, {} free at most)", short.wanted, short.most),
                    None => Ok(()),
                }
            }
        }
    }
}
