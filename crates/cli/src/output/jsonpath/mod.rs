//! kubectl's dialect of JSONPath: text with `{…}` in it, evaluated over a document.
//!
//! <https://kubernetes.io/docs/reference/kubectl/jsonpath/>

mod eval;
mod parse;

use serde_json::Value;

/// A parsed template such as `{range .items[*]}{.metadata.name}{"\n"}{end}`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct JsonPath {
    nodes: Vec<Node>,
}

/// Why a text is no template, or a document does not fit one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JsonPathError {
    /// The text is no template.
    #[error("jsonpath `{template}`: {problem}")]
    Malformed {
        /// The whole template.
        template: String,
        /// What is wrong where.
        problem: String,
    },
    /// An index lies behind the end of a list.
    #[error("jsonpath: array index out of bounds: index {index}, length {length}")]
    OutOfBounds {
        /// As written.
        index: i64,
        /// How many items there are.
        length: usize,
    },
    /// A list was expected.
    #[error("jsonpath: {0} is not a list")]
    NotAList(&'static str),
    /// Ranges in ranges, or `..` after `..`, have come to more than anybody wants to see.
    #[error("jsonpath: the template comes to more than {max} values: leave out some of its ranges or `..`")]
    TooMuch {
        /// How many it may come to.
        max: usize,
    },
}

#[derive(Clone, Debug, PartialEq)]
enum Node {
    Text(String),
    Path(Path),
    Range(Path, Vec<Node>),
}

/// Steps from the current value, or from the root where the first one says so.
#[derive(Clone, Debug, Default, PartialEq)]
struct Path(Vec<Step>);

#[derive(Clone, Debug, PartialEq)]
enum Step {
    /// `$`
    Root,
    /// `.name`, `['name']`
    Field(String),
    /// `.*`, `[*]`
    Wildcard,
    /// `..`: the value and everything below it
    Recursive,
    /// `[2]`, `[-1]`
    Index(i64),
    /// `[from:to:step]`; an end left out is the list's
    Slice(Option<i64>, Option<i64>, i64),
    /// `[0,2]`, `['a','b']`
    Union(Vec<Step>),
    /// `[?(@.a == "b")]`
    Filter(Operand, Option<(Comparison, Operand)>),
}

#[derive(Clone, Debug, PartialEq)]
enum Operand {
    Path(Path),
    Literal(Value),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl JsonPath {
    /// Reads a template; text outside braces stands for itself.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub(crate) fn parse(template: &str) -> Result<Self, JsonPathError> {
        parse::template(template).map(|nodes| Self { nodes })
    }

    /// Reads one expression as `--sort-by` and custom columns take it: braces and the first dot may be missing.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub(crate) fn parse_relaxed(expression: &str) -> Result<Self, JsonPathError> {
        let trimmed = expression.trim();
        match trimmed.chars().next() {
            Some('{') => Self::parse(trimmed),
            Some('.' | '[' | '$' | '@') => Self::parse(&format!("{{{trimmed}}}")),
            _ => Self::parse(&format!("{{.{trimmed}}}")),
        }
    }

    /// The text that the template makes of a document. What is missing leaves no text.
    ///
    /// # Errors
    /// Where an index is out of bounds or something else than a list is indexed.
    pub(crate) fn render(&self, document: &Value) -> Result<String, JsonPathError> {
        eval::render(&self.nodes, document)
    }

    /// The values that the template's expressions find in a document.
    ///
    /// # Errors
    /// As [`Self::render`].
    pub(crate) fn find<'v>(&self, document: &'v Value) -> Result<Vec<&'v Value>, JsonPathError> {
        eval::find(&self.nodes, document)
    }
}

/// A value as templates show it: strings bare, lists and mappings as JSON.
pub(crate) fn show(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests;
