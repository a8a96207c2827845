//! The controllers together with the real state and scheduler, under simulated time.
#![expect(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

mod kubelet;
mod moving;
mod sim;

mod collectors;
mod events;
mod invariants;
mod many;
mod nodes;
mod placing;
mod policy;
mod rebalance;
mod replica_sets;
mod rollouts;
mod sizes;
