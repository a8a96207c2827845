//! The formats that `-o` takes, and documents printed in them.

use std::str::FromStr;

use clap::Args;
use serde_json::{Value, json};

use crate::args::ResourceId;

/// `-o`; flatten it into a command's arguments.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct OutputArgs {
    /// How to show it: wide, json, yaml, name, jsonpath=TEMPLATE or custom-columns=HEADING:PATH,...
    #[arg(short, long, value_name = "FORMAT")]
    pub(crate) output: Option<OutputFormat>,
}

/// A format of `-o`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum OutputFormat {
    /// The table with all its columns.
    Wide,
    /// Indented JSON.
    Json,
    /// YAML.
    Yaml,
    /// `deployment.apps/web`, one a line.
    Name,
}

impl FromStr for OutputFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "wide" => Ok(Self::Wide),
            "json" => Ok(Self::Json),
            "yaml" => Ok(Self::Yaml),
            "name" => Ok(Self::Name),
            _ => Err("allowed formats are: wide, json, yaml, name, jsonpath=…, custom-columns=…".to_owned()),
        }
    }
}

impl OutputFormat {
    /// One document as text; `None` for `wide`, which is no format of documents.
    ///
    /// # Errors
    /// Where the document does not fit the template.
    pub(crate) fn document(&self, document: &Value) -> anyhow::Result<Option<String>> {
        Ok(Some(match self {
            Self::Wide => return Ok(None),
            Self::Json => serde_json::to_string_pretty(document)? + "\n",
            Self::Yaml => serde_saphyr::to_string(document)?,
            Self::Name => names(std::slice::from_ref(document)),
        }))
    }

    /// Several documents as text: a `List` where the format has room for one document only.
    ///
    /// # Errors
    /// As [`Self::document`].
    pub(crate) fn documents(&self, documents: Vec<Value>) -> anyhow::Result<Option<String>> {
        match self {
            Self::Name => Ok(Some(names(&documents))),
            _ => self.document(&list_of(documents)),
        }
    }
}

/// The `List` of these documents.
fn list_of(items: Vec<Value>) -> Value {
    json!({ "apiVersion": "v1", "kind": "List", "metadata": { "resourceVersion": "" }, "items": items })
}

fn names(documents: &[Value]) -> String {
    documents
        .iter()
        .filter_map(ResourceId::of_document)
        .map(|id| format!("{id}\n"))
        .collect()
}
