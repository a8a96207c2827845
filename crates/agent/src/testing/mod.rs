//! Fakes for tests of the whole agent: an engine in memory, and a server that scripts a session.

mod agent_tests;
mod runtime;
mod server;

pub(crate) use runtime::FakeRuntime;
pub(crate) use server::FakeServer;
