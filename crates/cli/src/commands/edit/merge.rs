//! The patch that leads from one document to another (RFC 7386).

use serde_json::{Map, Value};

/// The merge patch that makes `after` of `before`; `None` where they are equal.
pub(super) fn merge_patch(before: &Value, after: &Value) -> Option<Value> {
    let (Value::Object(old), Value::Object(new)) = (before, after) else {
        return (before != after).then(|| after.clone());
    };
    let mut patch = Map::new();
    for key in old.keys().filter(|key| new.get(*key).is_none_or(Value::is_null)) {
        if !old[key].is_null() {
            patch.insert(key.clone(), Value::Null);
        }
    }
    for (key, value) in new.iter().filter(|(_, value)| !value.is_null()) {
        match old.get(key) {
            Some(present) => patch.extend(merge_patch(present, value).map(|change| (key.clone(), change))),
            None => {
                patch.insert(key.clone(), value.clone());
            }
        }
    }
    (!patch.is_empty()).then_some(Value::Object(patch))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_differs_is_named() {
        let before = json!({ "a": 1, "b": { "c": 2, "d": 3 }, "e": [1, 2] });
        let after = json!({ "a": 1, "b": { "c": 5, "f": 6 }, "e": [1] });
        assert_eq!(
            merge_patch(&before, &after),
            Some(json!({ "b": { "c": 5, "d": null, "f": 6 }, "e": [1] }))
        );
    }

    #[test]
    fn equal_documents_need_no_patch() {
        let document = json!({ "a": { "b": [] } });
        assert_eq!(merge_patch(&document, &document.clone()), None);
        assert_eq!(merge_patch(&json!({}), &json!({ "a": null })), None);
    }

    #[test]
    fn null_takes_a_field_away() {
        assert_eq!(
            merge_patch(&json!({ "a": 1 }), &json!({ "a": null })),
            Some(json!({ "a": null }))
        );
    }
}
