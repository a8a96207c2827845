//! The one door for documents: schema check, typed decoding, defaults, validation.

mod check;
mod unimplemented;

use std::io;

use serde_json::{Map, Value};

use self::check::Checker;
use crate::{DecodeError, FieldError, Kind, Object, Reason, default, path::Path, schema, suggest, validate};

/// The largest document that is taken, in bytes of JSON: 1.5 MiB.
pub const OBJECT_BYTES_MAX: usize = 3 << 19;

/// What to do with a field that skep does not know or does not implement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Validation {
    /// It is an error.
    #[default]
    Strict,
    /// It is dropped with a warning.
    Warn,
    /// It is dropped in silence; fields that concern security are an error all the same.
    Ignore,
}

/// A document that passed.
#[derive(Clone, Debug)]
pub struct Decoded {
    /// The object, with defaults filled in.
    pub object: Object,
    /// What its author should know.
    pub warnings: Vec<String>,
}

/// Takes a document in: checks it against the schema of its kind, fills in defaults and validates it.
///
/// Namespaced objects without a namespace get `default`. `status` is taken as far as it fits, and never a reason to fail.
///
/// # Errors
/// Everything that is wrong with it, at once.
pub fn decode(mut value: Value, validation: Validation) -> Result<Decoded, Vec<FieldError>> {
    let kind = kind_of(&value).map_err(|error| vec![error])?;
    check_size(&value).map_err(|error| vec![error])?;
    let Value::Object(fields) = &mut value else {
        return Err(vec![not_a_mapping()]);
    };
    fields.remove("apiVersion");
    fields.remove("kind");
    let status = take_status(kind, fields);
    let mut checker = Checker::new(validation);
    checker.fields(fields, schema::of(kind), &Path::ROOT);
    let (mut errors, mut warnings) = checker.into_findings();
    if errors.iter().any(|error| {
        matches!(
            error.reason,
            Reason::WrongType | Reason::NotSupported | Reason::Invalid
        )
    }) {
        return Err(errors);
    }
    fields.extend(status);
    let mut object = Object::from_body(kind, value).map_err(|error| vec![untyped(&error)])?;
    warnings.extend(default::apply(&mut object));
    errors.extend(validate::object(&object));
    if errors.is_empty() {
        Ok(Decoded { object, warnings })
    } else {
        Err(errors)
    }
}

/// The kind of a document, or what is wrong with its head.
fn kind_of(value: &Value) -> Result<Kind, FieldError> {
    Object::kind_of(value).map_err(|error| match error {
        DecodeError::NotAMapping => not_a_mapping(),
        DecodeError::Missing(field) => {
            let example = if field == "kind" {
                "kind: Deployment"
            } else {
                "apiVersion: apps/v1"
            };
            FieldError::new(
                field,
                Reason::Required,
                format!("is missing; write for example `{example}`"),
            )
        }
        DecodeError::UnknownKind { api_version, kind } => unknown_kind(&api_version, &kind),
        DecodeError::Field { source, .. } => untyped(&source),
    })
}

fn not_a_mapping() -> FieldError {
    FieldError::new("", Reason::WrongType, DecodeError::NotAMapping.to_string())
}

fn unknown_kind(api_version: &str, kind: &str) -> FieldError {
    if let Some(known) = Kind::from_name(kind) {
        let message = format!("{kind} is in `{}`, not in `{api_version}`", known.api_version());
        return FieldError::new("apiVersion", Reason::NotSupported, message);
    }
    let names = Kind::ALL.map(Kind::as_str);
    let hint = suggest::closest(kind, names.into_iter()).map_or_else(
        || format!("it has {}", names.join(", ")),
        |near| format!("did you mean `{near}`?"),
    );
    let message = format!("`{kind}` in `{api_version}` is not a kind of this cluster; {hint}");
    FieldError::new("kind", Reason::NotSupported, message)
}

/// The schema check leaves nothing for typed decoding to find; if it does, its words are all there is.
fn untyped(error: &serde_json::Error) -> FieldError {
    FieldError::new("", Reason::WrongType, error.to_string())
}

fn check_size(value: &Value) -> Result<(), FieldError> {
    if bytes_at_most(value) <= OBJECT_BYTES_MAX {
        return Ok(());
    }
    let mut counter = Counter(0);
    let counted = serde_json::to_writer(&mut counter, value);
    if counted.is_ok() && counter.0 <= OBJECT_BYTES_MAX {
        return Ok(());
    }
    let mib = |bytes: usize| bytes as f64 / f64::from(1 << 20);
    let message = format!(
        "is {:.2} MiB long, {:.2} MiB are allowed for one object",
        mib(counter.0),
        mib(OBJECT_BYTES_MAX)
    );
    Err(FieldError::new("", Reason::TooLong, message))
}

/// No less than the value's JSON has, found without writing it.
fn bytes_at_most(value: &Value) -> usize {
    /// A control character becomes six; quotes, a colon and a comma come on top.
    fn text(text: &str) -> usize {
        6 * text.len() + 4
    }
    match value {
        Value::Null | Value::Bool(_) => 6,
        Value::Number(_) => 32,
        Value::String(string) => text(string),
        Value::Array(items) => 2 + items.iter().map(|item| 1 + bytes_at_most(item)).sum::<usize>(),
        Value::Object(fields) => {
            let fields = fields.iter();
            2 + fields
                .map(|(name, field)| text(name) + bytes_at_most(field))
                .sum::<usize>()
        }
    }
}

/// Counts bytes.
struct Counter(usize);

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Takes the status out of a document, without what does not fit: it is what servers write, and people paste it back.
fn take_status(kind: Kind, fields: &mut Map<String, Value>) -> Option<(String, Value)> {
    let mut status = fields.remove("status")?;
    let shape = &schema::of(kind).fields.get("status")?.shape;
    let mut checker = Checker::new(Validation::Ignore);
    checker.value(&mut status, shape, &Path::ROOT);
    let (errors, _) = checker.into_findings();
    (errors.is_empty() && !status.is_null()).then(|| ("status".to_owned(), status))
}
