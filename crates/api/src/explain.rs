//! What `skep explain` prints: the fields of a kind, from the types' own doc comments.

use std::fmt::Write as _;

use crate::{
    Kind,
    schema::{self, Choice, Field, Shape, Struct},
    suggest,
};

/// Columns that descriptions are wrapped to, without their indentation.
const WIDTH: usize = 76;

/// Fields of every document, which the types leave to [`crate::Object`].
const HEAD: [(&str, &str); 2] = [
    ("apiVersion", "Group and version of the kind, such as `apps/v1`."),
    ("kind", "The kind of the object, such as `Deployment`."),
];

/// Why there is nothing to explain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExplainError {
    /// The path starts with something that is no kind.
    #[error("`{kind}` is not a kind of this cluster{hint}")]
    UnknownKind {
        /// As written.
        kind: String,
        /// What may have been meant.
        hint: String,
    },
    /// The path goes on into a field that is not there.
    #[error("`{field}` is not a field of {place}{hint}")]
    UnknownField {
        /// As written.
        field: String,
        /// The path so far.
        place: String,
        /// What may have been meant.
        hint: String,
    },
}

/// Explains a kind or a field such as `deployment.spec.strategy`; `recursive` lists the fields below it at every depth,
/// without descriptions.
///
/// # Errors
/// Where the path names no kind or a field that is not there.
pub fn explain(path: &str, recursive: bool) -> Result<String, ExplainError> {
    let mut segments = path.split('.').filter(|segment| !segment.is_empty()).peekable();
    let kind = kind(segments.next().unwrap_or_default())?;
    // `deployments.apps.spec` and `deployments.v1.apps.spec` name the group as well.
    while segments
        .next_if(|segment| *segment == kind.version() || *segment == kind.group())
        .is_some()
    {}
    let mut text = head(kind);
    let mut place = kind.singular().to_owned();
    let mut at = At {
        description: &schema::of(kind).description,
        fields: Some(schema::of(kind)),
        root: true,
        shape: None,
    };
    for segment in segments {
        at = at.step(segment, &place)?;
        let _ = write!(place, ".{segment}");
    }
    if let Some(shape) = at.shape {
        let name = place.rsplit('.').next().unwrap_or_default();
        let _ = writeln!(text, "FIELD: {name} <{}>\n", type_name(shape));
        text.push_str(&choices(shape, ""));
    }
    text.push_str("DESCRIPTION:\n");
    wrap(at.description, "    ", &mut text);
    if let Some(inner) = at
        .fields
        .filter(|inner| at.shape.is_some() && inner.description != at.description)
    {
        wrap(&inner.description, "    ", &mut text);
    }
    if let Some(fields) = at.fields {
        text.push_str("\nFIELDS:\n");
        if recursive {
            tree(fields, at.root, "  ", &mut text);
        } else {
            list(fields, at.root, &mut text);
        }
    }
    Ok(text.trim_end().to_owned() + "\n")
}

/// Where a path has led so far.
struct At<'a> {
    description: &'a str,
    fields: Option<&'a Struct>,
    shape: Option<&'a Shape>,
    root: bool,
}

impl<'a> At<'a> {
    fn step(&self, name: &str, place: &str) -> Result<Self, ExplainError> {
        if let Some((_, description)) = HEAD.iter().find(|(head, _)| self.root && *head == name) {
            return Ok(At {
                description,
                fields: None,
                shape: Some(&Shape::Text),
                root: false,
            });
        }
        let fields = self.fields.map(|fields| &fields.fields);
        let field: Option<&'a Field> = fields.and_then(|fields| fields.get(name));
        let Some(field) = field else {
            let names = fields
                .into_iter()
                .flat_map(|fields| fields.keys())
                .map(String::as_str);
            let hint = hint(suggest::closest(name, names));
            return Err(ExplainError::UnknownField {
                field: name.to_owned(),
                place: place.to_owned(),
                hint,
            });
        };
        let fields = field.shape.inner_struct().map(AsRef::as_ref);
        Ok(At {
            description: &field.description,
            fields,
            shape: Some(&field.shape),
            root: false,
        })
    }
}

fn kind(alias: &str) -> Result<Kind, ExplainError> {
    Kind::from_alias(alias).ok_or_else(|| {
        let near = suggest::closest(alias, Kind::ALL.into_iter().map(Kind::singular));
        let hint = near.map_or_else(
            || "; `skep api-resources` lists them".to_owned(),
            |near| hint(Some(near)),
        );
        ExplainError::UnknownKind {
            kind: alias.to_owned(),
            hint,
        }
    })
}

fn hint(near: Option<&str>) -> String {
    near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}

fn head(kind: Kind) -> String {
    let group = kind.group();
    let group = if group.is_empty() {
        String::new()
    } else {
        format!("GROUP:      {group}\n")
    };
    format!("{group}KIND:       {kind}\nVERSION:    {}\n\n", kind.version())
}

fn list(fields: &Struct, root: bool, text: &mut String) {
    for (name, description) in HEAD.iter().filter(|_| root) {
        let _ = writeln!(text, "  {name}\t<string>");
        wrap(description, "    ", text);
        text.push('\n');
    }
    for (name, field) in &fields.fields {
        let _ = writeln!(text, "  {name}\t<{}>", type_name(&field.shape));
        text.push_str(&choices(&field.shape, "  "));
        wrap(&field.description, "    ", text);
        text.push('\n');
    }
}

fn tree(fields: &Struct, root: bool, indent: &str, text: &mut String) {
    for (name, _) in HEAD.iter().filter(|_| root) {
        let _ = writeln!(text, "{indent}{name}\t<string>");
    }
    for (name, field) in &fields.fields {
        let _ = writeln!(text, "{indent}{name}\t<{}>", type_name(&field.shape));
        if let Some(inner) = field.shape.inner_struct() {
            tree(inner, false, &format!("{indent}  "), text);
        }
    }
}

fn type_name(shape: &Shape) -> String {
    match shape {
        Shape::Struct(fields) => fields.name.clone(),
        Shape::Map(value) => format!("map[string]{}", type_name(value)),
        Shape::List(item) => format!("[]{}", type_name(item)),
        Shape::Text | Shape::Choice(_) => "string".to_owned(),
        Shape::Time => "Time".to_owned(),
        Shape::Quantity => "Quantity".to_owned(),
        Shape::Integer(..) => "integer".to_owned(),
        Shape::Boolean => "boolean".to_owned(),
        Shape::IntOrString => "IntOrString".to_owned(),
    }
}

/// The words a field may hold, and what they mean.
fn choices(shape: &Shape, indent: &str) -> String {
    let Shape::Choice(words) = shape else {
        return String::new();
    };
    let quoted = |choice: &Choice| {
        if choice.value.is_empty() {
            "\"\"".to_owned()
        } else {
            choice.value.clone()
        }
    };
    let names: Vec<_> = words.iter().map(quoted).collect();
    let mut text = format!("{indent}enum: {}\n", names.join(", "));
    if indent.is_empty() {
        for word in words.iter() {
            let _ = writeln!(text, "    {}: {}", quoted(word), word.description);
        }
        text.push('\n');
    }
    text
}

fn wrap(words: &str, indent: &str, text: &mut String) {
    let mut line = String::new();
    for word in words.split_whitespace() {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > WIDTH {
            let _ = writeln!(text, "{indent}{line}");
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    let _ = writeln!(text, "{indent}{line}");
}
