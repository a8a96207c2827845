//! Strategic merge: lists are merged by key, and directives say what a plain patch cannot.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{
    MergeError,
    keys::{ListMerge, identity, inner, interleave, list_merge, rename_aliases},
};
use crate::{
    Kind,
    path::Path,
    schema::{self, Struct},
};

const PATCH: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const SET_ORDER: &str = "$setElementOrder/";
const DELETE_WORDS: &str = "$deleteFromPrimitiveList/";

/// Merges a patch into a document of a kind: `null` removes a field, lists are merged by the keys that Kubernetes gives
/// them, and `$patch`, `$retainKeys`, `$setElementOrder/…` and `$deleteFromPrimitiveList/…` do as they do there.
///
/// # Errors
/// Where a directive makes no sense, or an item of a keyed list has no key.
pub fn strategic(current: &Value, patch: &Value, kind: Kind) -> Result<Value, MergeError> {
    let (Value::Object(current), Value::Object(_)) = (current, patch) else {
        return Err(MergeError::NotAMapping);
    };
    let mut patch = patch.clone();
    let shape = schema::of(kind);
    rename_aliases(&mut patch, shape);
    let patch = patch.as_object().ok_or(MergeError::NotAMapping)?;
    merge(current.clone(), patch, Some(shape), &Path::ROOT).map(Value::Object)
}

fn merge(
    mut current: Map<String, Value>,
    patch: &Map<String, Value>,
    shape: Option<&Struct>,
    path: &Path<'_>,
) -> Result<Map<String, Value>, MergeError> {
    match patch.get(PATCH).map(|verb| verb.as_str().unwrap_or_default()) {
        None | Some("merge") => {}
        Some("replace") => current = Map::new(),
        Some("delete") => return Ok(Map::new()),
        Some(verb) => {
            let problem = format!("`{verb}` is not one of merge, replace, delete");
            return Err(directive(&path.field(PATCH), problem));
        }
    }
    retain_keys(&mut current, patch, path)?;
    for (name, change) in patch {
        if let Some(field) = name.strip_prefix(DELETE_WORDS) {
            delete_words(&mut current, field, change, &path.field(name))?;
        } else if let Some(field) = name.strip_prefix(SET_ORDER) {
            if !patch.contains_key(field) {
                merge_field(&mut current, field, &Value::Array(Vec::new()), patch, shape, path)?;
            }
        } else if !name.starts_with('$') {
            merge_field(&mut current, name, change, patch, shape, path)?;
        } else if !matches!(name.as_str(), PATCH | RETAIN_KEYS) {
            return Err(directive(&path.field(name), "is not a directive"));
        }
    }
    Ok(current)
}

fn merge_field(
    current: &mut Map<String, Value>,
    name: &str,
    change: &Value,
    patch: &Map<String, Value>,
    shape: Option<&Struct>,
    path: &Path<'_>,
) -> Result<(), MergeError> {
    let path = path.field(name);
    let before = current.remove(name);
    let after = match change {
        Value::Null => return Ok(()),
        Value::Object(change) => {
            let before = if let Some(Value::Object(before)) = before {
                before
            } else {
                Map::new()
            };
            Value::Object(merge(before, change, inner(shape, name), &path)?)
        }
        Value::Array(changes) => {
            let before = if let Some(Value::Array(before)) = before {
                before
            } else {
                Vec::new()
            };
            let order = patch.get(&format!("{SET_ORDER}{name}")).and_then(Value::as_array);
            let list = List {
                before,
                changes,
                order: order.map(Vec::as_slice),
                item: inner(shape, name),
                path: &path,
            };
            Value::Array(
                match shape.map_or(ListMerge::Replace, |shape| list_merge(shape, name)) {
                    ListMerge::Replace => changes.clone(),
                    ListMerge::Set => list.merge_words(),
                    ListMerge::ByKey(key) => list.merge_items(key)?,
                },
            )
        }
        other => other.clone(),
    };
    current.insert(name.to_owned(), after);
    Ok(())
}

/// Keeps only the keys that `$retainKeys` lists, which must be at least those of the patch.
fn retain_keys(
    current: &mut Map<String, Value>,
    patch: &Map<String, Value>,
    path: &Path<'_>,
) -> Result<(), MergeError> {
    let Some(keys) = patch.get(RETAIN_KEYS) else {
        return Ok(());
    };
    let keys = keys
        .as_array()
        .ok_or_else(|| directive(&path.field(RETAIN_KEYS), "must be a list of keys"))?;
    let retained = |name: &str| keys.iter().any(|key| key == name);
    if let Some(name) = patch
        .iter()
        .find(|(name, change)| !name.starts_with('$') && !change.is_null() && !retained(name))
        .map(|(name, _)| name)
    {
        return Err(directive(
            &path.field(RETAIN_KEYS),
            format!("must list `{name}`, which the patch sets"),
        ));
    }
    current.retain(|name, _| retained(name));
    Ok(())
}

fn delete_words(
    current: &mut Map<String, Value>,
    field: &str,
    words: &Value,
    path: &Path<'_>,
) -> Result<(), MergeError> {
    let words = words
        .as_array()
        .ok_or_else(|| directive(path, "must be a list"))?;
    if let Some(Value::Array(items)) = current.get_mut(field) {
        items.retain(|item| !words.contains(item));
    }
    Ok(())
}

fn directive(path: &Path<'_>, problem: impl Into<String>) -> MergeError {
    MergeError::Directive {
        field: path.to_string(),
        problem: problem.into(),
    }
}

/// A list, and what a patch says about it.
struct List<'a> {
    before: Vec<Value>,
    changes: &'a [Value],
    order: Option<&'a [Value]>,
    item: Option<&'a Struct>,
    path: &'a Path<'a>,
}

impl List<'_> {
    fn merge_words(self) -> Vec<Value> {
        let mut words: Vec<Value> = Vec::new();
        for word in self.before.iter().chain(self.changes) {
            if !words.contains(word) {
                words.push(word.clone());
            }
        }
        let order = self.order.unwrap_or(self.changes);
        let (mut ordered, others): (Vec<_>, Vec<_>) =
            words.into_iter().partition(|word| order.contains(word));
        ordered.sort_by_key(|word| order.iter().position(|other| other == word));
        interleave(ordered, others, |word| {
            self.before.iter().position(|other| other == word)
        })
    }

    fn merge_items(self, key: &'static str) -> Result<Vec<Value>, MergeError> {
        let replaces =
            |item: &Value| item[PATCH] == "replace" && item.as_object().is_some_and(|item| item.len() == 1);
        let keeps = !self.changes.iter().any(replaces);
        let before: &[Value] = if keeps { &self.before } else { &[] };
        // Items without a key cannot be told apart; they stay as they are.
        let mut items: Vec<_> = before
            .iter()
            .map(|item| (identity(item, key), Some(item.clone())))
            .collect();
        let places: BTreeMap<_, _> = items
            .iter()
            .enumerate()
            .filter_map(|(place, (id, _))| Some((id.clone()?, place)))
            .collect();
        let mut now = places.clone();
        let mut patched = Vec::new();
        for (index, change) in self
            .changes
            .iter()
            .enumerate()
            .filter(|(_, change)| !replaces(change))
        {
            let id = self.identity(change, key, index)?;
            let place = *now.entry(id.clone()).or_insert_with(|| {
                items.push((Some(id.clone()), None));
                items.len() - 1
            });
            let current = items[place].1.take();
            if change[PATCH] != "delete" {
                items[place].1 = Some(self.merge_item(current, change, index)?);
                patched.push(id);
            }
        }
        let items = items.into_iter().filter_map(|(id, item)| Some((id, item?)));
        let ranks = self.ranks(patched, key)?;
        let rank = |id: &Option<String>| ranks.get(id.as_ref()?).copied();
        let (mut ordered, others): (Vec<_>, Vec<_>) = items.partition(|(id, _)| rank(id).is_some());
        ordered.sort_by_key(|(id, _)| rank(id));
        let merged = interleave(ordered, others, |(id, _)| places.get(id.as_ref()?).copied());
        Ok(merged.into_iter().map(|(_, item)| item).collect())
    }

    fn identity(&self, item: &Value, key: &'static str, index: usize) -> Result<String, MergeError> {
        let missing = || MergeError::MissingKey {
            field: self.path.index(index).to_string(),
            key,
        };
        identity(item, key).ok_or_else(missing)
    }

    fn merge_item(&self, current: Option<Value>, change: &Value, index: usize) -> Result<Value, MergeError> {
        let current = if let Some(Value::Object(current)) = current {
            current
        } else {
            Map::new()
        };
        let change = change.as_object().ok_or(MergeError::NotAMapping)?;
        merge(current, change, self.item, &self.path.index(index)).map(Value::Object)
    }

    /// The place of each item in the order that the patch asks for: as `$setElementOrder` says, else that of its own items.
    fn ranks(&self, patched: Vec<String>, key: &'static str) -> Result<BTreeMap<String, usize>, MergeError> {
        let rank = |ids: Vec<String>| ids.into_iter().enumerate().map(|(rank, id)| (id, rank)).collect();
        let Some(order) = self.order else {
            return Ok(rank(patched));
        };
        let ranks: BTreeMap<_, _> = rank(order.iter().filter_map(|item| identity(item, key)).collect());
        match patched.iter().find(|id| !ranks.contains_key(*id)) {
            Some(id) => Err(directive(
                self.path,
                format!("$setElementOrder does not list `{id}`, which the patch sets"),
            )),
            None => Ok(ranks),
        }
    }
}
