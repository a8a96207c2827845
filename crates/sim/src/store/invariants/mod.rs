//! What must hold, whatever happens; one file for each.

pub(super) mod linearizable;
pub(super) mod no_write_lost;
pub(super) mod one_leader_a_term;
pub(super) mod watch_order;
