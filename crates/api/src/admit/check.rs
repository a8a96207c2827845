//! Holds a document against the shape of its kind and drops what does not belong in it.

use serde_json::{Map, Value};

use super::{
    Validation,
    unimplemented::{Foreign, classify},
};
use crate::{
    FieldError, Quantity, Reason, Time,
    errors::Errors,
    path::Path,
    schema::{Choice, Shape, Struct},
    suggest,
};

/// More warnings than this help nobody.
const WARNINGS_MAX: usize = 200;

/// Collects what it finds. Whatever it leaves in the document can be decoded, if it found no error.
pub(super) struct Checker {
    validation: Validation,
    errors: Errors,
    warnings: Vec<String>,
}

impl Checker {
    pub(super) fn new(validation: Validation) -> Self {
        Self {
            validation,
            errors: Errors::default(),
            warnings: Vec::new(),
        }
    }

    pub(super) fn into_findings(self) -> (Vec<FieldError>, Vec<String>) {
        (self.errors.into_vec(), self.warnings)
    }

    /// Checks a mapping with named fields.
    pub(super) fn fields(&mut self, fields: &mut Map<String, Value>, shape: &Struct, path: &Path<'_>) {
        for (alias, name) in shape.aliases() {
            self.rename(fields, alias, name, path);
        }
        fields.retain(|name, value| match shape.fields.get(name) {
            _ if value.is_null() => false,
            Some(field) => {
                self.value(value, &field.shape, &path.field(name));
                true
            }
            None => {
                self.foreign(name, value, shape, path);
                false
            }
        });
    }

    fn rename(&mut self, fields: &mut Map<String, Value>, alias: &str, name: &str, path: &Path<'_>) {
        let Some(value) = fields.remove(alias).filter(|value| !value.is_null()) else {
            return;
        };
        if fields.get(name).is_some_and(|other| !other.is_null()) {
            let message = format!("is another way to write `{name}`, which is set too; remove one of them");
            self.errors.push(&path.field(alias), Reason::Duplicate, message);
        } else {
            fields.insert(name.to_owned(), value);
        }
    }

    /// Reports a field that skep does not have.
    fn foreign(&mut self, name: &str, value: &Value, shape: &Struct, path: &Path<'_>) {
        let path = path.field(name);
        let (reason, problem, hint) = match classify(&shape.name, name, value) {
            Some(Foreign::Harmless) => return,
            Some(Foreign::Security) => {
                let message = "is not implemented by skep, and is refused because it concerns security";
                return self.errors.push(&path, Reason::NotImplemented, message);
            }
            Some(Foreign::NotImplemented) => (
                Reason::NotImplemented,
                "is not implemented by skep",
                String::new(),
            ),
            None => (Reason::Unknown, "is not a known field", hint(name, shape)),
        };
        match self.validation {
            Validation::Strict => self.errors.push(&path, reason, format!("{problem}{hint}")),
            Validation::Warn if self.warnings.len() < WARNINGS_MAX => {
                self.warnings
                    .push(format!("{path}: {problem} and is dropped{hint}"));
            }
            Validation::Warn | Validation::Ignore => {}
        }
    }

    /// Checks any value.
    pub(super) fn value(&mut self, value: &mut Value, shape: &Shape, path: &Path<'_>) {
        match (shape, &mut *value) {
            (Shape::Struct(shape), Value::Object(fields)) => self.fields(fields, shape, path),
            (Shape::Map(shape), Value::Object(entries)) => {
                entries.retain(|_, entry| !entry.is_null());
                for (key, entry) in entries {
                    self.value(entry, shape, &path.key(key));
                }
            }
            (Shape::List(shape), Value::Array(items)) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.value(item, shape, &path.index(index));
                }
            }
            (Shape::Quantity, Value::String(_) | Value::Number(_)) => self.parsed::<Quantity>(value, path),
            (Shape::Time, Value::String(_)) => self.parsed::<Time>(value, path),
            (Shape::Integer(min, max), Value::Number(_)) => self.integer(value, *min, *max, path),
            (Shape::IntOrString, Value::Number(_)) => {
                self.integer(value, i32::MIN.into(), i32::MAX.into(), path);
            }
            (Shape::Choice(words), Value::String(word)) => self.choice(word, words, path),
            (Shape::Boolean, Value::Bool(_)) | (Shape::Text | Shape::IntOrString, Value::String(_)) => {}
            _ => self
                .errors
                .push(path, Reason::WrongType, wrong_type(value, shape)),
        }
    }

    fn parsed<T: serde::de::DeserializeOwned>(&mut self, value: &Value, path: &Path<'_>) {
        if let Err(error) = T::deserialize(value) {
            self.errors.invalid(path, error.to_string());
        }
    }

    /// Whole numbers written with a fraction of nothing (`3.0`) become integers.
    fn integer(&mut self, value: &mut Value, min: i64, max: i64, path: &Path<'_>) {
        match whole(value) {
            Some(number) if (i128::from(min)..=i128::from(max)).contains(&number) => {
                *value = i64::try_from(number).unwrap_or(max).into();
            }
            Some(number) => self
                .errors
                .invalid(path, format!("{number} is not between {min} and {max}")),
            None => self
                .errors
                .push(path, Reason::WrongType, format!("{value} is not a whole number")),
        }
    }

    fn choice(&mut self, word: &str, words: &[Choice], path: &Path<'_>) {
        if words.iter().any(|choice| choice.value == word) {
            return;
        }
        let allowed: Vec<_> = words
            .iter()
            .filter(|choice| !choice.value.is_empty())
            .map(|choice| format!("`{}`", choice.value))
            .collect();
        let message = format!("`{word}` is not supported: write one of {}", allowed.join(", "));
        self.errors.push(path, Reason::NotSupported, message);
    }
}

/// Beyond this a double does not stand for one whole number.
const EXACT: f64 = 9_007_199_254_740_992.0;

#[expect(
    clippy::cast_possible_truncation,
    reason = "the number is whole and within 2^53"
)]
fn whole(value: &Value) -> Option<i128> {
    let integer = value
        .as_i64()
        .map(i128::from)
        .or_else(|| value.as_u64().map(i128::from));
    let float = || {
        value
            .as_f64()
            .filter(|number| number.fract() == 0.0 && number.abs() <= EXACT)
    };
    integer.or_else(|| float().map(|number| number as i128))
}

/// What an unknown field was meant to be.
fn hint(name: &str, shape: &Struct) -> String {
    let near = suggest::closest(name, shape.fields.keys().map(String::as_str));
    let meant = near.map(str::to_owned).or_else(|| suggest::deeper(name, shape));
    meant.map_or_else(String::new, |meant| format!("; did you mean `{meant}`?"))
}

fn wrong_type(value: &Value, shape: &Shape) -> String {
    let is = match value {
        Value::Null => "empty",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    };
    let should = match shape {
        Shape::Struct(_) | Shape::Map(_) => "a mapping",
        Shape::List(_) => "a list",
        Shape::Text | Shape::Choice(_) => "a string",
        Shape::Time => "a time such as 2026-01-31T12:00:00Z",
        Shape::Quantity => "a quantity such as 250m or 1Gi",
        Shape::Integer(..) => "a number",
        Shape::Boolean => "true or false",
        Shape::IntOrString => "a number or a string",
    };
    let quotable =
        matches!(shape, Shape::Text | Shape::Choice(_)) && (value.is_boolean() || value.is_number());
    let hint = if quotable { ": put it in quotes" } else { "" };
    format!("is {is}, should be {should}{hint}")
}
