//! Fakes for tests of the whole agent: an engine in memory, and a server that scripts a session.

mod agent_tests;
mod cluster;
mod device_tests;
mod eviction_tests;
mod membership_tests;
mod offline_tests;
mod runtime;
mod scene;
mod server;

pub(crate) use cluster::FakeCluster;
pub(crate) use runtime::FakeRuntime;
pub(crate) use server::FakeServer;
