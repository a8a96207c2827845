//! The three-way merge of `apply`: what was applied before, what there is, what is wanted.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};

use super::keys::{ListMerge, identity, inner, interleave, list_merge, rename_aliases, retains_keys};
use crate::{
    Kind,
    schema::{self, Struct},
};

/// Metadata that only the server writes: a document that leaves it out does not mean to remove it.
const SERVER_SET: [&str; 7] = [
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "namespace",
];

/// The document that comes of applying `desired` to `live`.
///
/// Fields of the document applied before that `desired` leaves out are removed, those of `desired` are set, and what only
/// `live` has is kept: defaults, other writers' fields, the status. Lists are merged by the keys that Kubernetes gives them.
pub fn three_way(last_applied: Option<&Value>, live: &Value, desired: &Value, kind: Kind) -> Value {
    let shape = schema::of(kind);
    let mut desired = normal(desired, kind, shape);
    let mut last = last_applied
        .map(|last| normal(last, kind, shape))
        .unwrap_or_default();
    desired.remove("status");
    last.remove("status");
    let Value::Object(live) = live else {
        return Value::Object(desired);
    };
    let mut merged = merge(&last, live, &desired, Some(shape));
    restore(&mut merged, live, &desired);
    Value::Object(merged)
}

/// Fields under the names and in the places that stored documents have them.
fn normal(document: &Value, kind: Kind, shape: &Struct) -> Map<String, Value> {
    let mut document = document.clone();
    rename_aliases(&mut document, shape);
    let mut fields = if let Value::Object(fields) = document {
        fields
    } else {
        Map::new()
    };
    if kind == Kind::Secret
        && let Some(Value::Object(texts)) = fields.remove("stringData")
    {
        let data = fields.entry("data").or_insert_with(|| Value::Object(Map::new()));
        for (key, text) in texts {
            if let (Some(data), Some(text)) = (data.as_object_mut(), text.as_str()) {
                data.insert(key, STANDARD.encode(text).into());
            }
        }
    }
    fields
}

/// Brings back what the server set and `desired` does not state.
fn restore(merged: &mut Map<String, Value>, live: &Map<String, Value>, desired: &Map<String, Value>) {
    let stated = |name: &str| desired.get("metadata").is_some_and(|meta| !meta[name].is_null());
    let Some(live) = live.get("metadata") else { return };
    let Some(Value::Object(merged)) = merged.get_mut("metadata") else {
        return;
    };
    for name in SERVER_SET.into_iter().filter(|name| !stated(name)) {
        if let Some(value) = live.get(name) {
            merged.insert(name.to_owned(), value.clone());
        }
    }
}

fn merge(
    last: &Map<String, Value>,
    live: &Map<String, Value>,
    desired: &Map<String, Value>,
    shape: Option<&Struct>,
) -> Map<String, Value> {
    let mut merged = live.clone();
    merged.retain(|name, _| desired.contains_key(name) || !last.contains_key(name));
    for (name, wanted) in desired {
        if wanted.is_null() {
            merged.remove(name);
            continue;
        }
        let list = shape.map_or(ListMerge::Replace, |shape| list_merge(shape, name));
        let retains = shape.is_some_and(|shape| retains_keys(shape, name));
        let inner = inner(shape, name);
        let value = match (live.get(name), wanted) {
            (Some(Value::Object(there)), Value::Object(wanted)) => {
                Value::Object(merge_choice(last.get(name), there, wanted, inner, retains))
            }
            (Some(Value::Array(there)), Value::Array(wanted)) => {
                let last = last
                    .get(name)
                    .and_then(Value::as_array)
                    .map_or(&[][..], Vec::as_slice);
                let lists = Lists {
                    last,
                    live: there,
                    desired: wanted,
                    item: inner,
                    retains,
                };
                Value::Array(match list {
                    ListMerge::Replace => wanted.clone(),
                    ListMerge::Set => lists.merge_words(),
                    ListMerge::ByKey(key) => lists.merge_items(key),
                })
            }
            (_, wanted) => without_nulls(wanted),
        };
        merged.insert(name.clone(), value);
    }
    merged
}

/// Merges two mappings; where one is a choice and the merge changes it, only the keys of the new choice stay.
fn merge_choice(
    last: Option<&Value>,
    live: &Map<String, Value>,
    desired: &Map<String, Value>,
    shape: Option<&Struct>,
    retains: bool,
) -> Map<String, Value> {
    let none = Map::new();
    let mut merged = merge(
        last.and_then(Value::as_object).unwrap_or(&none),
        live,
        desired,
        shape,
    );
    if retains && merged != *live {
        merged.retain(|name, _| desired.contains_key(name));
    }
    merged
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.iter().filter(|(_, field)| !field.is_null());
            Value::Object(
                fields
                    .map(|(name, field)| (name.clone(), without_nulls(field)))
                    .collect(),
            )
        }
        Value::Array(items) => Value::Array(items.iter().map(without_nulls).collect()),
        other => other.clone(),
    }
}

/// Three versions of a list.
struct Lists<'a> {
    last: &'a [Value],
    live: &'a [Value],
    desired: &'a [Value],
    item: Option<&'a Struct>,
    retains: bool,
}

impl Lists<'_> {
    fn merge_words(&self) -> Vec<Value> {
        let others = self
            .live
            .iter()
            .filter(|word| !self.desired.contains(word) && !self.last.contains(word));
        let place = |word: &Value| self.live.iter().position(|other| other == word);
        interleave(self.desired.to_vec(), others.cloned().collect(), place)
    }

    fn merge_items(&self, key: &str) -> Vec<Value> {
        let (Some(live), Some(desired)) = (by_identity(self.live, key), by_identity(self.desired, key))
        else {
            // Without one identity each, items cannot be told apart.
            return self.desired.to_vec();
        };
        let last: BTreeMap<_, _> = self
            .last
            .iter()
            .filter_map(|item| Some((identity(item, key)?, item)))
            .collect();
        let id = |item: &Value| identity(item, key).unwrap_or_default();
        let ordered = self.desired.iter().map(|wanted| {
            let id = id(wanted);
            match (live.get(&id).map(|place| &self.live[*place]), wanted) {
                (Some(Value::Object(there)), Value::Object(wanted)) => {
                    let last = last.get(&id).copied();
                    Value::Object(merge_choice(last, there, wanted, self.item, self.retains))
                }
                _ => without_nulls(wanted),
            }
        });
        let foreign = |item: &&Value| !desired.contains_key(&id(item)) && !last.contains_key(&id(item));
        let others = self.live.iter().filter(foreign).cloned().collect();
        interleave(ordered.collect(), others, |item| live.get(&id(item)).copied())
    }
}

/// The place of each item by its identity; `None` where one has none or two have the same.
fn by_identity(items: &[Value], key: &str) -> Option<BTreeMap<String, usize>> {
    let mut places = BTreeMap::new();
    for (place, item) in items.iter().enumerate() {
        if places.insert(identity(item, key)?, place).is_some() {
            return None;
        }
    }
    Some(places)
}
