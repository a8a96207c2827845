//! The machine as a Node: what it has, how it is doing, and the loop that tells of it.

mod address;
mod conditions;
mod facts;
mod gauges;
mod object;
mod reporter;

pub(crate) use facts::{MachineFacts, allocatable};
pub(crate) use gauges::{Disk, disk, memory, pids};
pub(crate) use object::hello;
pub(crate) use reporter::report;
