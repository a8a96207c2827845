//! Namespaces, config maps, secrets and events.

use base64::{Engine, engine::general_purpose::STANDARD};
use skep_api::{ConfigMap, Event, Kind, Namespace, Secret};
use skep_state::State;

use super::{labels, names, page::Page};
use crate::render::age::date;

pub(super) fn namespace(page: &mut Page, state: &State, namespace: &Namespace) {
    names(page, &namespace.metadata);
    labels(page, 0, &namespace.metadata);
    page.field(0, "Status", format!("{:?}", namespace.status.phase));
    let inside: Vec<String> = Kind::ALL
        .into_iter()
        .filter(|kind| kind.namespaced())
        .map(|kind| (kind, state.objects(kind, Some(&namespace.metadata.name)).count()))
        .filter(|(_, count)| *count > 0)
        .map(|(kind, count)| {
            format!(
                "{count} {}",
                if count == 1 {
                    kind.singular()
                } else {
                    kind.plural()
                }
            )
        })
        .collect();
    page.list(0, "Objects", &inside);
    if namespace.metadata.is_deleting() {
        let what = if inside.is_empty() {
            "its removal".to_owned()
        } else {
            format!("{} to go", inside.join(", "))
        };
        page.field(0, "Waiting for", what);
    }
}

pub(super) fn config_map(page: &mut Page, config_map: &ConfigMap) {
    names(page, &config_map.metadata);
    labels(page, 0, &config_map.metadata);
    if config_map.immutable {
        page.field(0, "Immutable", "true");
    }
    page.text(0, "");
    page.text(0, "Data");
    page.text(0, "====");
    for (key, value) in &config_map.data {
        page.text(0, &format!("{key}:"));
        page.text(0, "----");
        value.lines().for_each(|line| page.text(0, line));
        page.text(0, "");
    }
    page.text(0, "BinaryData");
    page.text(0, "====");
    for (key, value) in &config_map.binary_data {
        page.text(0, &format!("{key}: {} bytes", decoded_len(value)));
    }
    page.text(0, "");
}

/// Sizes only: a secret's data is for pods to read.
pub(super) fn secret(page: &mut Page, secret: &Secret) {
    names(page, &secret.metadata);
    labels(page, 0, &secret.metadata);
    if secret.immutable {
        page.field(0, "Immutable", "true");
    }
    page.text(0, "");
    page.field(0, "Type", &secret.r#type);
    page.text(0, "");
    page.text(0, "Data");
    page.text(0, "====");
    for (key, value) in &secret.data {
        page.field(0, key, format!("{} bytes", decoded_len(value)));
    }
    page.text(0, "");
}

fn decoded_len(base64: &str) -> usize {
    STANDARD.decode(base64).map_or(base64.len(), |bytes| bytes.len())
}

pub(super) fn event(page: &mut Page, event: &Event) {
    names(page, &event.metadata);
    labels(page, 0, &event.metadata);
    page.field(0, "Type", format!("{:?}", event.r#type));
    page.field(0, "Reason", &event.reason);
    page.field(0, "Message", &event.message);
    let object = &event.involved_object;
    page.field(0, "Object", format!("{}/{}", object.kind, object.name));
    page.field_if(0, "Part", &object.field_path);
    page.field_if(0, "Reported By", &event.source.component);
    page.field_if(0, "Node", &event.source.host);
    page.field(0, "Count", event.count.max(1).to_string());
    page.field_if(0, "First Seen", date(event.first_timestamp));
    page.field_if(0, "Last Seen", date(event.last_timestamp));
}
