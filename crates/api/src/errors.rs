//! What is wrong with a document, as it is found.

use crate::{FieldError, Reason, path::Path};

/// More errors than this help nobody.
const ERRORS_MAX: usize = 200;

/// Errors found so far; bounded.
#[derive(Debug, Default)]
pub(crate) struct Errors(Vec<FieldError>);

impl Errors {
    /// Adds an error.
    pub(crate) fn push(&mut self, path: &Path<'_>, reason: Reason, message: impl Into<String>) {
        if self.0.len() < ERRORS_MAX {
            self.0.push(FieldError::new(path.to_string(), reason, message));
        }
    }

    /// Adds `reason` where there is a problem, said about `value`.
    pub(crate) fn about(&mut self, path: &Path<'_>, value: &str, problem: Option<String>) {
        if let Some(problem) = problem {
            self.push(path, Reason::Invalid, format!("`{value}` {problem}"));
        }
    }

    /// The value makes no sense.
    pub(crate) fn invalid(&mut self, path: &Path<'_>, message: impl Into<String>) {
        self.push(path, Reason::Invalid, message);
    }

    /// The value is missing.
    pub(crate) fn required(&mut self, path: &Path<'_>, message: impl Into<String>) {
        self.push(path, Reason::Required, message);
    }

    /// The value may not be set here.
    pub(crate) fn forbidden(&mut self, path: &Path<'_>, message: impl Into<String>) {
        self.push(path, Reason::Forbidden, message);
    }

    /// The value is there already.
    pub(crate) fn duplicate(&mut self, path: &Path<'_>, value: &str) {
        self.push(
            path,
            Reason::Duplicate,
            format!("`{value}` appears more than once"),
        );
    }

    /// The value may not change.
    pub(crate) fn immutable(&mut self, path: &Path<'_>, message: impl Into<String>) {
        self.push(path, Reason::Immutable, message);
    }

    /// All of them.
    pub(crate) fn into_vec(self) -> Vec<FieldError> {
        self.0
    }
}
