//! One batch of pending pods: pods that ask for the same share one scan of the nodes.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    sync::Arc,
};

use skep_api::Pod;

use crate::{
    catalog::Catalog,
    explain::Explanation,
    filter::fits,
    load::Load,
    node::NodeRow,
    score::{Score, score},
    wish::{Wish, alike},
};

/// The groups of one batch, and which nodes it has changed so far.
pub(crate) struct Batch<'a> {
    groups: Vec<Group>,
    by_identity: BTreeMap<String, usize>,
    last: Option<(&'a Pod, usize)>,
    /// The nodes that got pods, in order: groups that scored them before look at them again.
    touched: Vec<usize>,
    /// How often each node was touched.
    versions: Vec<u32>,
}

/// Pods that ask for the same, and the nodes they fit on.
struct Group {
    wish: Wish,
    /// The best node on top. Among equals the first by name.
    candidates: BinaryHeap<Candidate>,
    /// How much of `touched` is in the candidates; `None` before the first scan.
    seen: Option<usize>,
    /// Why no node fits, as of this much of `touched`.
    explained: Option<(usize, Explanation)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    score: Score,
    node: Reverse<usize>,
    /// Outdated where the node was touched since.
    version: u32,
}

impl<'a> Batch<'a> {
    pub(crate) fn new(nodes: &[NodeRow]) -> Self {
        Self {
            groups: Vec::new(),
            by_identity: BTreeMap::new(),
            last: None,
            touched: Vec::new(),
            versions: vec![0; nodes.len()],
        }
    }

    /// Finds the best node for the pod and counts the pod in there.
    pub(crate) fn place(
        &mut self,
        pod: &'a Pod,
        nodes: &mut [NodeRow],
        catalog: &mut Catalog,
    ) -> Result<(usize, Arc<Load>), Explanation> {
        let group = self.group_of(pod, catalog);
        self.refresh(group, nodes);
        let group = &mut self.groups[group];
        let Some(best) = group.best(&self.versions) else {
            return Err(group.explain(self.touched.len(), nodes, catalog));
        };
        nodes[best].add(&group.wish.load);
        self.touched.push(best);
        self.versions[best] += 1;
        Ok((best, Arc::clone(&group.wish.load)))
    }

    /// Gives back what the groups have shared.
    pub(crate) fn finish(self, catalog: &mut Catalog) {
        for group in self.groups {
            catalog.release(group.wish.load);
        }
    }

    fn group_of(&mut self, pod: &'a Pod, catalog: &mut Catalog) -> usize {
        let group = match self.last {
            Some((last, group)) if alike(last, pod) => group,
            _ => {
                let wish = Wish::of(pod, catalog);
                let groups = &mut self.groups;
                *self.by_identity.entry(wish.identity()).or_insert_with(|| {
                    groups.push(Group::new(wish));
                    groups.len() - 1
                })
            }
        };
        self.last = Some((pod, group));
        group
    }

    /// Brings the group's candidates up to date: a scan of all nodes at first, then the touched ones only.
    fn refresh(&mut self, group: usize, nodes: &[NodeRow]) {
        let group = &mut self.groups[group];
        match group.seen {
            Some(seen) if self.touched.len() - seen < nodes.len() => {
                for node in &self.touched[seen..] {
                    group.consider(*node, &nodes[*node], self.versions[*node]);
                }
            }
            _ => {
                group.candidates.clear();
                for (index, node) in nodes.iter().enumerate() {
                    group.consider(index, node, self.versions[index]);
                }
            }
        }
        group.seen = Some(self.touched.len());
    }
}

impl Group {
    fn new(wish: Wish) -> Self {
        Self {
            wish,
            candidates: BinaryHeap::new(),
            seen: None,
            explained: None,
        }
    }

    fn consider(&mut self, index: usize, node: &NodeRow, version: u32) {
        if fits(&self.wish, node) {
            let score = score(&self.wish, node);
            self.candidates.push(Candidate {
                score,
                node: Reverse(index),
                version,
            });
        }
    }

    /// The best candidate that is up to date; outdated ones are dropped on the way.
    fn best(&mut self, versions: &[u32]) -> Option<usize> {
        while let Some(candidate) = self.candidates.peek() {
            let node = candidate.node.0;
            if candidate.version == versions[node] {
                return Some(node);
            }
            self.candidates.pop();
        }
        None
    }

    fn explain(&mut self, touched: usize, nodes: &[NodeRow], catalog: &Catalog) -> Explanation {
        match &self.explained {
            Some((at, explanation)) if *at == touched => explanation.clone(),
            _ => {
                let explanation = Explanation::of(&self.wish, nodes, &catalog.resources);
                self.explained = Some((touched, explanation.clone()));
                explanation
            }
        }
    }
}
