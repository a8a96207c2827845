//! JSON patches (RFC 6902), as long as they stay within reason.

use json_patch::{Patch, PatchOperation};
use serde_json::Value;

/// As in Kubernetes.
const OPERATIONS_MAX: usize = 10_000;

/// A copy of a document into itself doubles it: a few dozen of them would take all memory there is.
const COPIED_BYTES_MAX: usize = 3 * 1024 * 1024;

/// Applies a patch; `document` is of no use where it fails.
///
/// # Errors
/// Says what is wrong with the patch, or which operation does not fit the document.
pub(super) fn apply(document: &mut Value, patch: &Value) -> Result<(), String> {
    let Patch(operations) =
        serde_json::from_value(patch.clone()).map_err(|error| format!("it is no JSON patch: {error}"))?;
    if operations.len() > OPERATIONS_MAX {
        return Err(format!(
            "it has {} operations, {OPERATIONS_MAX} are allowed: split it",
            operations.len()
        ));
    }
    let mut copied = 0;
    for operation in operations {
        copied += copied_bytes(document, &operation);
        if copied > COPIED_BYTES_MAX {
            return Err(format!("it copies more than {COPIED_BYTES_MAX} bytes"));
        }
        json_patch::patch(document, &[operation]).map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn copied_bytes(document: &Value, operation: &PatchOperation) -> usize {
    let PatchOperation::Copy(copy) = operation else {
        return 0;
    };
    let source = document.pointer(copy.from.as_str());
    source.map_or(0, |source| source.to_string().len())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_patch_that_copies_a_document_into_itself_again_and_again_is_refused() {
        let mut document = json!({ "data": { "a": "b" } });
        let bomb: Vec<_> = (0..64)
            .map(|number| json!({ "op": "copy", "from": "/data", "path": format!("/data/c{number}") }))
            .collect();
        let refused = apply(&mut document, &Value::Array(bomb)).unwrap_err();
        assert!(refused.contains("it copies more than"), "{refused}");
    }

    #[test]
    fn operations_are_applied_in_order() {
        let mut document = json!({ "data": { "a": "b" } });
        let patch = json!([
            { "op": "copy", "from": "/data/a", "path": "/data/c" },
            { "op": "replace", "path": "/data/a", "value": "d" },
        ]);
        apply(&mut document, &patch).unwrap();
        assert_eq!(document, json!({ "data": { "a": "d", "c": "b" } }));
        assert!(apply(&mut document, &json!([{ "op": "remove", "path": "/x" }])).is_err());
        assert!(
            apply(&mut document, &json!({}))
                .unwrap_err()
                .contains("no JSON patch")
        );
    }
}
