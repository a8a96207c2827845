//! From a document to an object of the simulated cluster.

use serde_json::Value;
use skep_api::{
    Object,
    admit::{self, Validation},
};

use crate::ScenarioError;

/// Checks a document as a server does, and fills in defaults.
pub(crate) fn admit(document: Value, place: &str) -> Result<Object, ScenarioError> {
    let name = document
        .pointer("/metadata/name")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    match admit::decode(document, Validation::Strict) {
        Ok(decoded) => Ok(decoded.object),
        Err(causes) => {
            let causes: Vec<String> = causes.iter().map(ToString::to_string).collect();
            Err(ScenarioError::at(format!("{place} ({name})"), causes.join("; ")))
        }
    }
}
