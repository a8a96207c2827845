//! Writes what the leader wants.

use skep_controllers::{Draft, Origin};
use skep_state::{Change, Outcome};
use skep_store::ProposeError;

use crate::{clock::now, core::Core};

/// Changes in one entry.
const CHANGES_MAX: usize = 1024;

/// Writes the changes, in as few entries as the limits allow; tells what became of each.
pub(super) async fn propose(draft: Draft, core: &Core) -> Vec<(Origin, Result<Outcome, ProposeError>)> {
    let mut results = Vec::with_capacity(draft.changes.len());
    let mut rest: Vec<(Change, Origin)> = draft.changes.into_iter().zip(draft.origins).collect();
    let mut max = CHANGES_MAX;
    while !rest.is_empty() {
        let part = rest.len().min(max);
        let changes: Vec<Change> = rest[..part].iter().map(|(change, _)| change.clone()).collect();
        let entry = skep_state::Entry {
            request_id: String::new(),
            now: now(),
            changes,
        };
        match core.store.propose(entry).await {
            Err(ProposeError::TooLarge { .. }) if part > 1 => max = part / 2,
            Err(error) => {
                results.extend(rest.drain(..part).map(|(_, origin)| (origin, Err(error.clone()))));
            }
            Ok(outcomes) => {
                let origins = rest.drain(..part).map(|(_, origin)| origin);
                results.extend(
                    origins
                        .zip(outcomes)
                        .map(|(origin, outcome)| (origin, Ok(outcome))),
                );
            }
        }
    }
    results
}
