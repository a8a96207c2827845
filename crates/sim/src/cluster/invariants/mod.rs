//! What must hold, whatever happens; one file for each.

pub(super) mod binding;
pub(super) mod convergence;
pub(super) mod copies;
