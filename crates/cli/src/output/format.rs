//! The formats that `-o` takes, and documents printed in them.

use std::{fs, str::FromStr};

use clap::Args;
use serde_json::{Value, json};

use super::{CustomColumns, JsonPath, yaml};
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
    /// What a template makes of the document.
    JsonPath(JsonPath),
    /// A table of one's own.
    CustomColumns(CustomColumns),
}

impl FromStr for OutputFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (format, rest) = match text.split_once('=') {
            Some((format, rest)) => (format, Some(rest)),
            None => (text, None),
        };
        match (format, rest) {
            ("wide", None) => Ok(Self::Wide),
            ("json", None) => Ok(Self::Json),
            ("yaml", None) => Ok(Self::Yaml),
            ("name", None) => Ok(Self::Name),
            ("jsonpath", Some(template)) => jsonpath(template),
            ("jsonpath-file", Some(file)) => jsonpath(read(file)?.trim_end_matches('\n')),
            ("custom-columns", Some(columns)) => CustomColumns::parse(columns).map(Self::CustomColumns),
            ("custom-columns-file", Some(file)) => {
                CustomColumns::parse_template(&read(file)?).map(Self::CustomColumns)
            }
            ("jsonpath" | "jsonpath-file" | "custom-columns" | "custom-columns-file", None) => {
                Err(format!("the format {format} needs a template: write {format}=…"))
            }
            ("go-template" | "go-template-file" | "template" | "templatefile", _) => Err(format!(
                "{format} is not implemented; jsonpath=… and custom-columns=… do most of the same"
            )),
            _ => Err(format!(
                "unable to match a printer suitable for the output format \"{text}\", allowed formats are: \
                 custom-columns,custom-columns-file,json,jsonpath,jsonpath-file,name,wide,yaml"
            )),
        }
    }
}

impl OutputFormat {
    /// One document as text. Tables are the server's to make: `wide` shows the name.
    ///
    /// # Errors
    /// Where the document does not fit the template.
    pub(crate) fn document(&self, document: &Value) -> anyhow::Result<String> {
        Ok(match self {
            Self::Wide | Self::Name => names(std::slice::from_ref(document)),
            Self::Json => super::json(document)?,
            Self::Yaml => yaml(document)?,
            Self::JsonPath(template) => template.render(document)?,
            Self::CustomColumns(columns) => table(columns, std::slice::from_ref(document), true)?,
        })
    }

    /// Several documents as text: a `List` where the format has room for one document only.
    ///
    /// # Errors
    /// As [`Self::document`].
    pub(crate) fn documents(&self, documents: Vec<Value>, headings: bool) -> anyhow::Result<String> {
        match self {
            Self::Wide | Self::Name => Ok(names(&documents)),
            Self::CustomColumns(columns) => table(columns, &documents, headings),
            _ => self.document(&list_of(documents)),
        }
    }
}

fn jsonpath(template: &str) -> Result<OutputFormat, String> {
    JsonPath::parse(template)
        .map(OutputFormat::JsonPath)
        .map_err(|error| error.to_string())
}

fn read(file: &str) -> Result<String, String> {
    fs::read_to_string(file).map_err(|error| format!("cannot read {file}: {error}"))
}

fn table(columns: &CustomColumns, documents: &[Value], headings: bool) -> anyhow::Result<String> {
    let mut table = columns.table();
    table.show_headers = headings;
    for document in documents {
        table.push(columns.row(document)?);
    }
    Ok(table.render())
}

fn list_of(items: Vec<Value>) -> Value {
    let mut list = json!({ "apiVersion": "v1", "kind": "List", "metadata": { "resourceVersion": "" } });
    list["items"] = items.into();
    list
}

fn names(documents: &[Value]) -> String {
    documents
        .iter()
        .filter_map(ResourceId::of_document)
        .map(|id| format!("{id}\n"))
        .collect()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn shown(format: &str) -> String {
        let web = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web" } });
        let config = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "app" }, "data": { "a": "true", "b": "x\ny\n" } });
        format
            .parse::<OutputFormat>()
            .and_then(|format| {
                format
                    .documents(vec![web, config], true)
                    .map_err(|error| error.to_string())
            })
            .unwrap_or_else(|error| error)
    }

    #[test]
    fn several_documents_are_a_list() {
        expect![[r#"
            apiVersion: v1
            items:
            - apiVersion: apps/v1
              kind: Deployment
              metadata:
                name: web
            - apiVersion: v1
              data:
                a: "true"
                b: |
                  x
                  y
              kind: ConfigMap
              metadata:
                name: app
            kind: List
            metadata:
              resourceVersion: ""
        "#]]
        .assert_eq(&shown("yaml"));
        assert_eq!(shown("jsonpath={.items[*].metadata.name}"), "web app");
        assert!(shown("json").contains("\n    \"items\": [\n"));
    }

    #[test]
    fn names_have_their_group() {
        assert_eq!(shown("name"), "deployment.apps/web\nconfigmap/app\n");
    }

    #[test]
    fn columns_of_ones_own_have_a_row_each() {
        assert_eq!(shown("custom-columns=N:.metadata.name"), "N\nweb\napp\n");
    }

    #[test]
    fn formats_that_are_not_there_say_so() {
        assert!(shown("go-template={{.x}}").contains("go-template is not implemented"));
        assert!(shown("xml").contains("allowed formats are"));
        assert!(shown("jsonpath").contains("needs a template"));
        assert!(shown("jsonpath={.a").contains("not closed"));
    }
}
