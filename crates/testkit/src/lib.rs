//! Builders with valid defaults, and fakes for the simulator and tests.
