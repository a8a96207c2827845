//! The conversation with the server: reports up, assignments down, and streams of logs and commands that it asks for.

mod client;
mod connect;
mod exec;
mod logs;
mod pace;
mod tunnel;

pub(crate) use client::Session;
