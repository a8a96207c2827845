//! A cluster in a few words, and what the scheduler makes of it.

use std::fmt::Write as _;

use expect_test::Expect;
use skep_api::{Node, Pod};
use skep_scheduler::{Decision, Outcome, Scheduler};

/// Nodes, pods that are bound or ended, and pods that wait, in this order.
#[derive(Debug, Default)]
pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Node>,
    pub(crate) bound: Vec<Pod>,
    pub(crate) pending: Vec<Pod>,
}

pub(crate) fn cluster(nodes: impl IntoIterator<Item = Node>) -> Cluster {
    Cluster {
        nodes: nodes.into_iter().collect(),
        ..Cluster::default()
    }
}

impl Cluster {
    /// Pods that are there already, bound or ended.
    pub(crate) fn with(mut self, pods: impl IntoIterator<Item = Pod>) -> Self {
        self.bound.extend(pods);
        self
    }

    /// Pods that are to be placed.
    pub(crate) fn pending(mut self, pods: impl IntoIterator<Item = Pod>) -> Self {
        self.pending.extend(pods);
        self
    }

    pub(crate) fn scheduler(&self) -> Scheduler {
        let mut scheduler = Scheduler::new();
        self.bound.iter().for_each(|pod| scheduler.pod(pod));
        self.nodes.iter().for_each(|node| scheduler.node(node));
        scheduler
    }

    pub(crate) fn decide(&self) -> Vec<Decision> {
        self.scheduler()
            .schedule(&self.pending.iter().collect::<Vec<_>>())
    }
}

/// Compares a line for each decision.
pub(crate) fn check(cluster: &Cluster, expected: &Expect) {
    expected.assert_eq(&told(&cluster.decide()));
}

pub(crate) fn told(decisions: &[Decision]) -> String {
    let mut text = String::new();
    for decision in decisions {
        let outcome = match &decision.outcome {
            Outcome::Bind { node } => node.clone(),
            Outcome::Preempt { node, victims, .. } => {
                let names: Vec<&str> = victims.iter().map(|victim| victim.key.name.as_str()).collect();
                format!("{node} after {}", names.join(", "))
            }
            Outcome::Wait(explanation) => format!("pending: {explanation}"),
        };
        writeln!(text, "{} -> {outcome}", decision.key.name).expect("strings take everything");
    }
    text
}
