//! One pod on this node: what is wanted, what is seen, and the pure [`step`] from one to the other.

mod action;
mod backoff;
mod conditions;
mod container_status;
mod desired;
mod end;
mod goal;
mod next;
mod notes;
mod observed;
mod plan;
mod run;
mod start;
mod status;
mod step;

#[cfg(test)]
mod convergence_tests;
#[cfg(test)]
mod end_tests;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod sidecar_tests;
#[cfg(test)]
mod step_tests;

pub(crate) use action::{Action, Note, Work};
pub(crate) use desired::{Desired, Role};
pub(crate) use notes::notes;
pub(crate) use observed::{Address, Evicted, Failure, Hook, Image, Observed, Probed, VolumeState};
pub(crate) use run::{CRASHES_LABEL, HOLDER, Run};
pub(crate) use step::step;
