//! The engine behind the trait `Runtime`, held to a real Docker engine.
//!
//! Each test has an image, labels and networks of its own, and removes them.

mod absent;
mod create;
mod engine;
mod exec;
mod images;
mod lifecycle;
mod network;
mod pods;
mod resources;
mod security;
mod streams;
mod tcp;
