//! Events are kept for a while, and only so many of them.

use std::time::Duration;

use skep_api::{Event, Kind, ObjectKey, Resource, Time};
use skep_state::{Change, DeleteOptions, State, StateEvent};

use crate::{Context, Controller, Reconciled};

/// How often events are looked through.
const SWEEP: Duration = Duration::from_secs(60);

/// How many events are deleted in one pass; the rest follows in the next.
const EVENTS_PER_PASS_MAX: usize = 500;

/// When this many events come together, they are looked through at once.
const SWEEP_EVERY: usize = 1000;

/// Deletes old and surplus events. Its one key is the empty one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EventGarbageCollector;

impl Controller for EventGarbageCollector {
    fn name(&self) -> &'static str {
        "event-garbage-collector"
    }

    fn wakes(&self, state: &State, event: &StateEvent) -> Vec<ObjectKey> {
        let is_new = event.kind == Kind::Event && event.before.is_none();
        if is_new && state.count(Kind::Event).is_multiple_of(SWEEP_EVERY) {
            return vec![ObjectKey::default()];
        }
        Vec::new()
    }

    fn all(&self, _: &State) -> Vec<ObjectKey> {
        vec![ObjectKey::default()]
    }

    fn reconcile(&self, ctx: &Context<'_>, _: &ObjectKey) -> Reconciled {
        let mut events: Vec<&Event> = ctx.state.list::<Event>(None).collect();
        events.sort_by_key(|event| last_seen(event));
        let surplus = events.len().saturating_sub(ctx.settings.events_max);
        let old = events.partition_point(|event| ctx.now.since(last_seen(event)) >= ctx.settings.event_ttl);
        let count = surplus.max(old);
        let changes = events
            .iter()
            .take(count.min(EVENTS_PER_PASS_MAX))
            .filter_map(|event| ctx.state.object(Kind::Event, &event.key()))
            .map(|event| Change::delete(event, DeleteOptions::default()))
            .collect();
        let again_in = Some(if count > EVENTS_PER_PASS_MAX {
            Duration::ZERO
        } else {
            SWEEP
        });
        Reconciled {
            changes,
            again_in,
            ..Reconciled::default()
        }
    }
}

fn last_seen(event: &Event) -> Time {
    event
        .last_timestamp
        .or(event.metadata.creation_timestamp)
        .unwrap_or_default()
}
