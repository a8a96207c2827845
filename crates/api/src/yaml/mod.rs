//! Manifests as text: YAML or JSON to documents, and back.
//!
//! As in Kubernetes, YAML 1.1 is understood: `0644` is octal, and `yes`, `no`, `on`, `off` are booleans.

mod document;

use serde_json::Value;
use serde_saphyr::{DuplicateKeyPolicy, MessageFormatter as _, UserMessageFormatter};

use self::document::Document;

/// Why a text is not a list of documents.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("document {document}, line {line}, column {column}: {message}")]
pub struct YamlError {
    /// Which document, counted from 1.
    pub document: usize,
    /// Line in the whole text, counted from 1; 0 where unknown.
    pub line: usize,
    /// Column in characters, counted from 1; 0 where unknown.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

/// Reads all documents of a text, YAML (separated by `---`) or JSON (one after the other).
///
/// Empty documents are left out, and lists (`kind: List`) give their items.
///
/// # Errors
/// Where the text is malformed, has a key twice, or nests or grows beyond reason.
pub fn documents(text: &str) -> Result<Vec<Value>, YamlError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let documents = match json_documents(text) {
        Some(documents) => documents?,
        None => yaml_documents(text)?,
    };
    let mut all = Vec::new();
    for Document(value) in documents {
        flatten(value, &mut all);
    }
    Ok(all)
}

/// Writes a document in block style, keys in order, as kubectl does.
pub fn to_string(value: &Value) -> String {
    let options = serde_saphyr::ser_options! {
        compact_list_indent: true,
        folded_wrap_chars: usize::MAX,
    };
    let text = serde_saphyr::to_string_with_options(value, options);
    text.expect("documents hold nothing that YAML cannot hold")
}

fn yaml_documents(text: &str) -> Result<Vec<Document>, YamlError> {
    let options = serde_saphyr::options! {
        duplicate_keys: DuplicateKeyPolicy::Error,
        legacy_octal_numbers: true,
        with_snippet: false,
    };
    serde_saphyr::from_multiple_with_options(text, options).map_err(|error| {
        let place = error.location();
        let number = |number: u64| usize::try_from(number).unwrap_or(0);
        let line = place.map_or(0, |place| number(place.line()));
        YamlError {
            document: document_at(text, line),
            line,
            column: place.map_or(0, |place| number(place.column())),
            message: UserMessageFormatter
                .format_message(error.without_snippet())
                .into_owned(),
        }
    })
}

/// The documents of a JSON text; `None` where it is none, for YAML may start with a brace as well.
fn json_documents(text: &str) -> Option<Result<Vec<Document>, YamlError>> {
    if !text.trim_start().starts_with(['{', '[']) {
        return None;
    }
    let mut documents = Vec::new();
    for document in serde_json::Deserializer::from_str(text).into_iter() {
        match document {
            Ok(document) => documents.push(document),
            Err(error) if error.is_data() => {
                let message = error.to_string();
                let message = message.split(" at line ").next().unwrap_or(&message).to_owned();
                let document = documents.len() + 1;
                return Some(Err(YamlError {
                    document,
                    line: error.line(),
                    column: error.column(),
                    message,
                }));
            }
            Err(_) => return None,
        }
    }
    Some(Ok(documents))
}

/// Which document a line belongs to: separators count where something stands before them.
fn document_at(text: &str, line: usize) -> usize {
    let (mut document, mut content) = (1, false);
    for line in text.lines().take(line) {
        if line == "---" || line.starts_with("--- ") {
            document += usize::from(content);
            content = false;
        } else {
            let line = line.trim();
            content |= !line.is_empty() && !line.starts_with(['#', '%']);
        }
    }
    document
}

/// Takes lists apart; items of a typed list such as `PodList` may leave their kind to it.
fn flatten(value: Value, into: &mut Vec<Value>) {
    let list = value["kind"]
        .as_str()
        .and_then(|kind| kind.strip_suffix("List"))
        .map(str::to_owned);
    match (list, value) {
        (_, Value::Null) => {}
        (Some(kind), Value::Object(mut fields)) if fields.get("items").is_some_and(Value::is_array) => {
            let version = fields.remove("apiVersion").filter(|_| !kind.is_empty());
            let Some(Value::Array(items)) = fields.remove("items") else {
                return;
            };
            for mut item in items {
                if let (Some(version), Some(fields)) = (&version, item.as_object_mut()) {
                    fields.entry("apiVersion").or_insert_with(|| version.clone());
                    fields.entry("kind").or_insert_with(|| kind.clone().into());
                }
                flatten(item, into);
            }
        }
        (_, value) => into.push(value),
    }
}
