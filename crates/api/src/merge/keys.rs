//! How each list of each kind is merged.

use serde_json::Value;

use crate::schema::{Field, Shape, Struct};

/// How a list is merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ListMerge {
    /// As a whole.
    Replace,
    /// Item by item, by the value of this field.
    ByKey(&'static str),
    /// As a set of words.
    Set,
}

/// How the list in `field` of `owner` is merged.
pub(super) fn list_merge(owner: &Struct, field: &str) -> ListMerge {
    match (owner.name.as_str(), field) {
        ("PodSpec", "containers" | "initContainers" | "volumes" | "imagePullSecrets" | "schedulingGates")
        | ("Container", "env") => ListMerge::ByKey("name"),
        ("PodSpec", "topologySpreadConstraints") => ListMerge::ByKey("topologyKey"),
        ("Container", "ports") => ListMerge::ByKey("containerPort"),
        ("Container", "volumeMounts") => ListMerge::ByKey("mountPath"),
        ("PodSpec", "hostAliases") | ("PodStatus", "podIPs") => ListMerge::ByKey("ip"),
        ("NodeStatus", "addresses") | (_, "conditions") => ListMerge::ByKey("type"),
        ("ObjectMeta", "ownerReferences") => ListMerge::ByKey("uid"),
        ("ObjectMeta", "finalizers") | ("NodeSpec", "podCIDRs") => ListMerge::Set,
        _ => ListMerge::Replace,
    }
}

/// True where a mapping is a choice: another choice must not leave remains of the one before.
pub(super) fn retains_keys(owner: &Struct, field: &str) -> bool {
    matches!(
        (owner.name.as_str(), field),
        ("PodSpec", "volumes") | ("DeploymentSpec", "strategy")
    )
}

/// What tells an item from the others of its list. Ports of one number differ by protocol, spread constraints over one
/// topology by what happens where they do not hold.
pub(super) fn identity(item: &Value, key: &str) -> Option<String> {
    let id = match item.get(key)? {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.as_f64()?.to_string(),
        _ => return None,
    };
    if key == "containerPort" {
        let protocol = item.get("protocol").and_then(Value::as_str).unwrap_or("TCP");
        return Some(format!("{id}/{protocol}"));
    }
    if key == "topologyKey" {
        let otherwise = item.get("whenUnsatisfiable").and_then(Value::as_str);
        return Some(format!("{id}/{}", otherwise.unwrap_or("DoNotSchedule")));
    }
    Some(id)
}

/// The mapping in `field`, or in the items of its list.
pub(super) fn inner<'a>(owner: Option<&'a Struct>, field: &str) -> Option<&'a Struct> {
    owner?.fields.get(field).and_then(|field| named(&field.shape))
}

fn named(shape: &Shape) -> Option<&Struct> {
    match shape {
        Shape::Struct(fields) => Some(fields),
        Shape::List(item) => named(item),
        _ => None,
    }
}

/// The order of a merged list: `ordered` items as they are, and between them the `others`, which keep their place among
/// those items that the list had before. Items that are new come first.
pub(super) fn interleave<T>(
    ordered: Vec<T>,
    others: Vec<T>,
    place_before: impl Fn(&T) -> Option<usize>,
) -> Vec<T> {
    let mut merged = Vec::with_capacity(ordered.len() + others.len());
    let (mut ordered, mut others) = (ordered.into_iter().peekable(), others.into_iter().peekable());
    loop {
        let take_other = match (ordered.peek(), others.peek()) {
            (None, None) => return merged,
            (None, Some(_)) => true,
            (Some(_), None) => false,
            (Some(item), Some(other)) => match (place_before(other), place_before(item)) {
                (Some(other), Some(item)) => other < item,
                _ => false,
            },
        };
        merged.extend(if take_other { others.next() } else { ordered.next() });
    }
}

/// Renames fields that go by another name, so that both sides of a merge call them the same.
pub(super) fn rename_aliases(value: &mut Value, shape: &Struct) {
    let Some(fields) = value.as_object_mut() else {
        return;
    };
    for (alias, name) in shape.aliases() {
        if !fields.contains_key(*name)
            && let Some(value) = fields.remove(*alias)
        {
            fields.insert((*name).to_owned(), value);
        }
    }
    for (name, value) in fields {
        let Some(Field { shape, .. }) = shape.fields.get(name) else {
            continue;
        };
        let Some(shape) = named(shape) else { continue };
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| rename_aliases(item, shape)),
            value => rename_aliases(value, shape),
        }
    }
}
