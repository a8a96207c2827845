//! Where pods go, and what is said about those that go nowhere.

mod cluster;

mod explanations;
mod placement;
mod properties;
