//! The node daemon: runs pods on the Docker engine of its machine.

pub mod runtime;
