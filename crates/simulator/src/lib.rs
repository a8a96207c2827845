//! A whole cluster under simulated time: the real state, scheduler and controllers, with nodes that only pretend.
//!
//! A [`Scenario`] says which nodes there are, what is deployed on them and what goes wrong when; [`Simulation`] plays it, and
//! the [`Report`] says where pods ended up, how long they waited and what was moved. The same scenario and seed give the same
//! report. Nothing here reads a clock or does I/O.

mod admit;
mod agents;
mod observer;
mod report;
mod scenario;
mod simulation;
mod stamp;
mod steps;
mod waits;

pub use report::{PendingGroup, PoolReport, Report, WorkloadReport};
pub use scenario::{NodeGroup, Policy, Scenario, ScenarioError, Span, Step, Timing};
pub use simulation::Simulation;
pub use waits::Waits;
