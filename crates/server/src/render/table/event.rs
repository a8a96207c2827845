//! Events as rows.

use skep_api::{Event, EventSource, Kind, ObjectReference, Time};

use super::{Column, shown, wide};
use crate::render::age::age;

pub(super) const COLUMNS: &[Column] = &[
    shown("LAST SEEN", "string", "How long ago it happened last."),
    shown("TYPE", "string", "Normal, or Warning where somebody should look."),
    shown("REASON", "string", "The cause, for programs."),
    shown("OBJECT", "string", "What it happened to."),
    wide("SUBOBJECT", "string", "The part of the object that is meant."),
    wide("SOURCE", "string", "Who reported it."),
    shown("MESSAGE", "string", "What happened, in words."),
    wide("FIRST SEEN", "string", "How long ago it happened first."),
    wide("COUNT", "string", "How often it happened."),
    wide("NAME", "string", "The event's name."),
];

pub(super) fn row(event: &Event, now: Time) -> Vec<String> {
    let first = event.first_timestamp.or(event.metadata.creation_timestamp);
    vec![
        age(now, event.last_timestamp.or(first)),
        format!("{:?}", event.r#type),
        event.reason.clone(),
        object(&event.involved_object),
        event.involved_object.field_path.clone(),
        source(&event.source),
        event.message.trim().to_owned(),
        age(now, first),
        event.count.max(1).to_string(),
        event.metadata.name.clone(),
    ]
}

/// `pod/web-0`.
fn object(reference: &ObjectReference) -> String {
    let kind = Kind::from_name(&reference.kind).map_or_else(
        || reference.kind.to_lowercase(),
        |kind| kind.singular().to_owned(),
    );
    format!("{kind}/{}", reference.name)
}

/// `agent, node-1`.
fn source(source: &EventSource) -> String {
    match source.host.as_str() {
        "" => source.component.clone(),
        host => format!("{}, {host}", source.component),
    }
}
