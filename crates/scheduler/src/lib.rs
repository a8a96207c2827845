//! Places pods on nodes: filters, scores, preemption and explanations, pure and fast.
//!
//! [`Scheduler`] is fed with changes of nodes, pods, namespaces and disruption budgets, and decides for batches of pending
//! pods. There is no clock, no randomness and no dependence on hash order in it: the same facts give the same decisions.
//!
//! **Tables.** What many pods have in common is kept once. A *template* is all that a pod asks for and brings with it apart
//! from its name; a placed pod is a template's number, a node's number and a name. A template points to its *standing* (which
//! nodes will do as far as labels, taints and condition go: a bit set, mended when a node changes), its *look* (what
//! selectors see of it), its *load* (what it takes up) and its *terms*. A term is a selection of pods over a topology, shared
//! by all pods that state it, from affinity or from spread; it counts the pods it selects, and those that hold it, by place.
//! Places are the values of a node label as small numbers. What nodes have left stands in columns, one for each resource.
//!
//! **Cost grows with what changed.** A pod that comes or goes is counted in on one node, and in one place of each term that
//! selects it. A node that changes is judged again by each standing and counted anew in each term.
//!
//! **Groups.** Pods of one template in a batch share one scan of the nodes. The candidates stand in heaps; after a placement
//! one node is looked at again. What depends on a place that many nodes share (a zone) is not in a node's mark, but added for
//! all of them at once when the best is chosen, and what depends on the least of all places (an even spread) is asked when a
//! candidate comes up. No score compares nodes with each other. So a batch is decided exactly as if its pods came one by one.
//!
//! **One feasibility check** (`Tables::obstacles`) serves placing, [`Scheduler::check`], [`Scheduler::what_if`], preemption
//! and explanations; groups use its parts.
//!
//! **Order.** Within a batch pods of higher priority come first, and equals in the order given; which pods come into a batch
//! is the caller's to decide.
//!
//! **Preemption** makes room where it costs least: fewest disruption budgets violated, then the lowest highest priority, the
//! least sum of priorities, the fewest pods, the latest start, the first name. Victims have a lower priority than the pod,
//! always. Until they are gone the room is kept against pods of the same and of lower priority.

mod balance;
mod batch;
mod bits;
mod budget;
mod counts;
mod decision;
mod explain;
mod filter;
mod group;
mod image;
mod load;
mod look;
mod making;
mod node;
mod owner;
mod pods;
mod preempt;
mod resource;
mod rules;
mod scheduler;
mod score;
mod settings;
mod slab;
mod standing;
mod tables;
mod template;
mod term;
mod topology;

pub use balance::{Fullness, Misplaced, NodeFullness, Relocation, Unmoved, WHOLE};
pub use decision::{Decision, Outcome, Victim};
pub use explain::{Closest, Explanation};
pub use filter::Rejection;
pub use scheduler::Scheduler;
pub use settings::{Budget, SchedulerSettings, Scoring};
