//! What is wrong with one field of a document.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What is wrong with one field of a document; written `path: message`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// Where, such as `spec.template.spec.containers[0].ports[1].containerPort`; empty for the whole document.
    pub field: String,
    /// What sort of mistake it is, for programs.
    pub reason: Reason,
    /// What is wrong and what to do, for people.
    pub message: String,
}

/// What sort of mistake a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Reason {
    /// It is missing.
    Required,
    /// Its value makes no sense.
    Invalid,
    /// There is no such field.
    Unknown,
    /// It is a field of Kubernetes that skep does not honour.
    NotImplemented,
    /// It may not change.
    Immutable,
    /// It appears more than once.
    Duplicate,
    /// It holds too much.
    TooLong,
    /// It holds a value of another type.
    WrongType,
    /// Its value is none of those allowed.
    NotSupported,
    /// It may not be set here.
    Forbidden,
    /// A disruption budget stands in the way.
    DisruptionBudget,
    /// Something else has to be started first.
    StartFirst,
}

impl FieldError {
    /// An error at `field`.
    pub fn new(field: impl Into<String>, reason: Reason, message: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            reason,
            message: message.into(),
        }
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for FieldError {}

impl Reason {
    /// Its name, as in `skep.v1.FieldError.reason`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Required => "Required",
            Self::Invalid => "Invalid",
            Self::Unknown => "Unknown",
            Self::NotImplemented => "NotImplemented",
            Self::Immutable => "Immutable",
            Self::Duplicate => "Duplicate",
            Self::TooLong => "TooLong",
            Self::WrongType => "WrongType",
            Self::NotSupported => "NotSupported",
            Self::Forbidden => "Forbidden",
            Self::DisruptionBudget => "DisruptionBudget",
            Self::StartFirst => "StartFirst",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
