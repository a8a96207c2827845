//! Whether a session with a server stands.

use std::sync::{Mutex, PoisonError};

use skep_api::Time;

/// Whether a session with a server stands.
#[derive(Debug)]
pub(crate) struct Link(Mutex<LinkState>);

/// Whether a session stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LinkState {
    /// With this server.
    Up(String),
    /// Since then there is none.
    CutOff(Time),
}

impl Link {
    /// None stands since `now`.
    pub(crate) fn new(now: Time) -> Self {
        Self(Mutex::new(LinkState::CutOff(now)))
    }

    /// A session stands with this server.
    pub(crate) fn up(&self, server: &str) {
        self.set(|_| LinkState::Up(server.to_owned()));
    }

    /// None stands any more.
    pub(crate) fn down(&self, now: Time) {
        self.set(|state| match state {
            LinkState::CutOff(since) => LinkState::CutOff(*since),
            LinkState::Up(_) => LinkState::CutOff(now),
        });
    }

    /// The present state.
    pub(crate) fn state(&self) -> LinkState {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, next: impl FnOnce(&LinkState) -> LinkState) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *state = next(&state);
    }
}
