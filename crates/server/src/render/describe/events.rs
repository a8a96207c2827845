//! What happened to the object.

use skep_api::{Event, Kind, ObjectMeta, Time};
use skep_state::State;

use super::{lookup, page::Page};
use crate::render::age::age;

/// The object's events, oldest first; equal ones are one line with their number.
pub(super) fn events(page: &mut Page, state: &State, kind: Kind, meta: &ObjectMeta, now: Time) {
    let events = lookup::events(state, kind, meta);
    if events.is_empty() {
        page.list(0, "Events", [""; 0]);
        return;
    }
    page.heading(0, "Events");
    let rows = events.iter().map(|event| row(event, now));
    page.table(1, &["Type", "Reason", "Age", "From", "Message"], rows);
}

fn row(event: &Event, now: Time) -> Vec<String> {
    let first = event.first_timestamp.or(event.metadata.creation_timestamp);
    let last = age(now, event.last_timestamp.or(first));
    let seen = if event.count > 1 {
        format!("{last} (x{} over {})", event.count, age(now, first))
    } else {
        last
    };
    vec![
        format!("{:?}", event.r#type),
        event.reason.clone(),
        seen,
        event.source.component.clone(),
        event.message.trim().replace('\n', " "),
    ]
}
