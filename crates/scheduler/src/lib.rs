//! Places pods on nodes: filters, scores and explanations, pure and fast.
//!
//! [`Scheduler`] keeps compact tables of nodes and of what their pods take up, fed by changes. A batch of pending pods is
//! decided in the order given; pods that ask for the same share one scan of the nodes, and the outcome is the same as if
//! each were decided alone. There is no clock, no randomness and no dependence on hash order in it.

mod batch;
mod catalog;
mod decision;
mod explain;
mod filter;
mod load;
mod node;
mod resource;
mod scheduler;
mod score;
mod settings;
mod wish;

pub use decision::{Decision, Outcome, Victim};
pub use explain::Explanation;
pub use filter::Rejection;
pub use scheduler::Scheduler;
pub use settings::{Budget, SchedulerSettings, Scoring};
