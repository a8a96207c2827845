//! Where pods go, and what is said about those that go nowhere.

mod balance;
mod choices;
mod cluster;
mod reference;

mod constraints;
mod explanations;
mod golden;
mod placement;
mod properties;
mod scenarios;
