//! Changing documents: strategic merge, merge patch (RFC 7386), and the three-way merge of `apply`.

mod keys;
mod strategic;
mod three_way;

use serde_json::{Map, Value};

pub use self::{strategic::strategic, three_way::three_way};

/// The annotation that holds the document last applied.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Why a patch cannot be merged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// A document or patch is something else than a mapping.
    #[error("a patch must be a mapping")]
    NotAMapping,
    /// A directive such as `$patch` says something that it cannot say.
    #[error("{field}: {problem}")]
    Directive {
        /// Where it stands.
        field: String,
        /// What is wrong with it.
        problem: String,
    },
    /// An item of a list that is merged by key has none.
    #[error("{field}: has no `{key}`, by which items of this list are merged")]
    MissingKey {
        /// The item.
        field: String,
        /// The key that it lacks.
        key: &'static str,
    },
}

/// Merges as RFC 7386 says: mappings are merged, `null` removes, everything else replaces.
pub fn merge_patch(current: &Value, patch: &Value) -> Value {
    let Value::Object(patch) = patch else {
        return patch.clone();
    };
    let mut merged = match current {
        Value::Object(current) => current.clone(),
        _ => Map::new(),
    };
    for (name, change) in patch {
        if change.is_null() {
            merged.remove(name);
        } else {
            let field = merge_patch(merged.get(name).unwrap_or(&Value::Null), change);
            merged.insert(name.clone(), field);
        }
    }
    Value::Object(merged)
}
