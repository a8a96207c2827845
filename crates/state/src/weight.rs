//! How much memory an object is worth, roughly.

use skep_api::Object;

use crate::{Outcome, json_len::json_len};

/// What an object takes in memory beyond its text, roughly: the typed fields, mostly empty.
pub(crate) const BESIDES_TEXT: u32 = 1536;

/// What a refusal takes, roughly.
const REFUSAL_WEIGHT: u32 = 512;

/// What keeping an object in the history or among the answers takes, in bytes: the same on every replica.
pub(crate) fn event_weight(object: &Object) -> u32 {
    let text = json_len(object).expect("objects hold nothing that JSON cannot hold");
    u32::try_from(text)
        .unwrap_or(u32::MAX)
        .saturating_add(BESIDES_TEXT)
}

/// What keeping an answer takes, in bytes: the same on every replica.
pub(crate) fn outcome_weight(outcome: &Outcome) -> u32 {
    outcome
        .as_ref()
        .map_or(REFUSAL_WEIGHT, |applied| event_weight(&applied.object))
}
