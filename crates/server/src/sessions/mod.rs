//! Conversations with agents: registration, assignments down, reports up, and tunnels on demand.

mod assignments;
mod greeting;
mod leases;
mod node_status;
mod references;
mod register;
mod registry;
mod reports;
mod session;
mod wakes;

pub(crate) use greeting::{Greeting, keep_greeting};
pub(crate) use leases::Leases;
pub(crate) use registry::Sessions;
pub(crate) use reports::{ReportQueue, Reports, batch_reports};
pub(crate) use session::{SERVER_ANNOTATION, converse};
pub(crate) use wakes::{Wakes, wake_sessions};
