//! What happened to the object.

use std::time::Duration;

use skep_api::{Condition, ConditionStatus, Event, Object, Pod, Time};
use skep_state::State;

use super::{lookup, page::Page};
use crate::render::age::age;

/// The reason of the event that tells of a pod's node.
const SCHEDULED: &str = "Scheduled";

/// Between what an event says and the write that it tells of lies no more than this.
const WRITTEN_WITHIN: Duration = Duration::from_secs(10);

/// The object's events, oldest first; equal ones are one line with their number.
pub(super) fn events(page: &mut Page, state: &State, object: &Object, now: Time) {
    let mut events = lookup::events(state, object.kind(), object.meta());
    let told = match object {
        Object::Pod(pod) => told_with_others(state, pod, &events),
        _ => None,
    };
    events.extend(&told);
    events.sort_by_key(|event| lookup::last_seen(event));
    if events.is_empty() {
        page.list(0, "Events", [""; 0]);
        return;
    }
    page.heading(0, "Events");
    let rows = events.iter().map(|event| row(event, now));
    page.table(1, &["Type", "Reason", "Age", "From", "Message"], rows);
}

/// When the pod was given its node; `None` where it has none, or nobody chose it.
pub(super) fn placed_at(pod: &Pod) -> Option<Time> {
    let condition = Condition::find(&pod.status.conditions, "PodScheduled")?;
    let placed = condition.status == ConditionStatus::True && !pod.spec.node_name.is_empty();
    condition.last_transition_time.filter(|_| placed)
}

/// That the pod got its node, where that was told of many pods at once, in an event of what makes them.
fn told_with_others(state: &State, pod: &Pod, own: &[&Event]) -> Option<Event> {
    if own.iter().any(|event| event.reason == SCHEDULED) {
        return None;
    }
    let at = placed_at(pod)?;
    let owner = state.by_uid(&pod.metadata.controller()?.uid)?;
    let of_owner = lookup::events(state, owner.kind(), owner.meta());
    // What is decided is told as of then, and written a moment later.
    let covers = |event: &Event| {
        let last = event.last_timestamp?;
        Some(event.first_timestamp? <= at && at <= last.plus(WRITTEN_WITHIN))
    };
    let event = of_owner
        .into_iter()
        .find(|event| event.reason == SCHEDULED && covers(event) == Some(true))?;
    let message = format!(
        "Successfully assigned {} to {} (as one of many: {}/{})",
        pod.metadata.key(),
        pod.spec.node_name,
        owner.kind(),
        owner.meta().name
    );
    Some(Event {
        reason: SCHEDULED.to_owned(),
        message,
        source: event.source.clone(),
        first_timestamp: Some(at),
        last_timestamp: Some(at),
        count: 1,
        ..Event::default()
    })
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
