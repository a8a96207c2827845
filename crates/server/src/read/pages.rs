//! Lists that are read page by page: all pages show the same state.

use std::{
    collections::VecDeque,
    sync::Mutex,
    time::{Duration, Instant},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use skep_api::ObjectKey;
use skep_state::State;

use crate::failure::Failure;

const STATES_MAX: usize = 16;
const KEPT_FOR: Duration = Duration::from_secs(300);

/// States that lists in progress still need; a clone of a state is cheap, and both number and age are bounded.
#[derive(Default)]
pub(crate) struct Pages(Mutex<VecDeque<(Instant, State)>>);

/// Where the next page begins.
#[derive(Serialize, Deserialize)]
pub(crate) struct Continue {
    /// Of the state that the list shows.
    pub revision: u64,
    /// The last object of the page before.
    pub after: ObjectKey,
}

impl Pages {
    /// Keeps a state for the pages to come.
    pub(crate) fn keep(&self, state: &State) {
        let mut states = self.0.lock().expect("no holder panics");
        states.retain(|(kept, other)| kept.elapsed() < KEPT_FOR && other.revision() != state.revision());
        if states.len() >= STATES_MAX {
            states.pop_front();
        }
        states.push_back((Instant::now(), state.clone()));
    }

    /// The state that a list began with.
    pub(crate) fn state(&self, revision: u64) -> Result<State, Failure> {
        let mut states = self.0.lock().expect("no holder panics");
        states.retain(|(kept, _)| kept.elapsed() < KEPT_FOR);
        states
            .iter()
            .find(|(_, state)| state.revision() == revision)
            .map(|(_, state)| state.clone())
            .ok_or_else(|| {
                Failure::Expired(format!(
                    "the list at revision {revision} is too old to continue: list again from the start"
                ))
            })
    }
}

impl Continue {
    /// As it is handed to the client.
    pub(crate) fn encode(&self) -> String {
        let json = serde_json::to_vec(self).expect("a revision and a key are JSON");
        BASE64_URL_SAFE_NO_PAD.encode(json)
    }

    /// As it came back; `None` for a list from the start.
    pub(crate) fn decode(token: &str) -> Result<Option<Self>, Failure> {
        if token.is_empty() {
            return Ok(None);
        }
        let json = BASE64_URL_SAFE_NO_PAD.decode(token).ok();
        let read = json.and_then(|json| serde_json::from_slice(&json).ok());
        read.map(Some)
            .ok_or_else(|| Failure::BadRequest("continue: is not a token of this server".to_owned()))
    }
}
