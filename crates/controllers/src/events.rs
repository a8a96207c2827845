//! Recording what happened as `Event` objects.

use std::{collections::BTreeMap, sync::Arc};

use skep_api::{Event, EventSource, Kind, Object, ObjectKey, ObjectMeta, Resource, Time};
use skep_state::{Change, DeleteOptions, Precondition, State, Verb};

use crate::{
    EventNote,
    hash::{fnv, word},
};

/// How many different events are kept of one object; a new one replaces the oldest.
pub const EVENTS_PER_OBJECT_MAX: usize = 32;

/// Messages are cut at this many bytes.
const MESSAGE_BYTES_MAX: usize = 1024;

/// The part of an event's name that is the object's is cut at this many bytes.
const NAME_BYTES_MAX: usize = 240;

/// The changes that record the notes. `host` is the machine the reporting part runs on; empty where that says nothing.
///
/// The same happening again (same object, reason, message and reporter) raises `count` and `lastTimestamp` of its one event.
/// Events of cluster-scoped objects are in the namespace `default`. Notes on objects of a namespace that is gone or going are
/// dropped: nothing can be created there.
pub fn record(state: &State, notes: &[EventNote], host: &str, now: Time) -> Vec<Change> {
    let mut counted: BTreeMap<ObjectKey, (&EventNote, i32)> = BTreeMap::new();
    for note in notes {
        let key = event_key(note, host);
        if open_namespace(state, &key.namespace) {
            counted.entry(key).or_insert((note, 0)).1 += 1;
        }
    }
    let mut changes = Vec::new();
    let mut fresh: BTreeMap<&str, usize> = BTreeMap::new();
    for (key, (note, count)) in &counted {
        if let Some(event) = state.get::<Event>(key) {
            changes.push(repeated(event, *count, now));
            continue;
        }
        let siblings = fresh.entry(&note.regarding.uid).or_default();
        if *siblings >= EVENTS_PER_OBJECT_MAX {
            continue;
        }
        *siblings += 1;
        changes.extend(make_room(state, key, note, *siblings));
        changes.push(Change::create(new_event(key, note, host, *count, now)));
    }
    changes
}

fn open_namespace(state: &State, namespace: &str) -> bool {
    let namespace = state.object(Kind::Namespace, &ObjectKey::cluster(namespace));
    namespace.is_some_and(|namespace| !namespace.meta().is_deleting())
}

/// `{object}.{hash}`: the same for the same happening.
fn event_key(note: &EventNote, host: &str) -> ObjectKey {
    let regarding = &note.regarding;
    let kind = format!("{:?}", note.r#type);
    let parts = [
        &regarding.kind,
        &regarding.uid,
        &regarding.field_path,
        &note.reason,
        &note.message,
        &note.component,
        &kind,
        host,
    ];
    let hash = word(fnv(&parts.map(str::as_bytes)), 12);
    let namespace = if regarding.namespace.is_empty() {
        "default"
    } else {
        &regarding.namespace
    };
    ObjectKey::new(
        namespace,
        format!("{}.{hash}", cut(&regarding.name, NAME_BYTES_MAX)),
    )
}

fn repeated(event: &Event, count: i32, now: Time) -> Change {
    let mut event = event.clone();
    event.count = event.count.saturating_add(count);
    event.last_timestamp = Some(now.whole_secs());
    let only_if = Precondition {
        uid: Some(event.metadata.uid.clone()),
        revision: None,
    };
    Change {
        only_if,
        verb: Verb::Update(Box::new(event.into_object())),
    }
}

fn new_event(key: &ObjectKey, note: &EventNote, host: &str, count: i32, now: Time) -> Event {
    let metadata = ObjectMeta {
        name: key.name.clone(),
        namespace: key.namespace.clone(),
        ..ObjectMeta::default()
    };
    Event {
        metadata,
        involved_object: note.regarding.clone(),
        reason: note.reason.clone(),
        message: cut(&note.message, MESSAGE_BYTES_MAX).to_owned(),
        source: EventSource {
            component: note.component.clone(),
            host: host.to_owned(),
        },
        first_timestamp: Some(now.whole_secs()),
        last_timestamp: Some(now.whole_secs()),
        count,
        r#type: note.r#type,
    }
}

/// Deletes the object's oldest events where it would have too many with `fresh` new ones.
fn make_room(state: &State, key: &ObjectKey, note: &EventNote, fresh: usize) -> Option<Change> {
    let prefix = format!("{}.", cut(&note.regarding.name, NAME_BYTES_MAX));
    let first = ObjectKey::new(&key.namespace, &prefix);
    let mut events: Vec<(&Event, &Arc<Object>)> = state
        .objects_after(Kind::Event, Some(&key.namespace), Some(&first))
        .take_while(|object| object.meta().name.starts_with(&prefix))
        .filter_map(|object| Some((Event::from_object(object)?, object)))
        .filter(|(event, _)| event.involved_object.uid == note.regarding.uid)
        .collect();
    let surplus = (events.len() + fresh).checked_sub(EVENTS_PER_OBJECT_MAX + 1)?;
    events.sort_by_key(|(event, _)| (event.last_timestamp, &event.metadata.name));
    let (_, oldest) = events.get(surplus)?;
    Some(Change::delete(oldest, DeleteOptions::default()))
}

fn cut(text: &str, bytes_max: usize) -> &str {
    let end = (0..=bytes_max.min(text.len()))
        .rev()
        .find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}
