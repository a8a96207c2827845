//! A field that takes a number or a string: a port by number or name, a count or a percentage.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A number, or a string such as a port's name or `25%`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum IntOrString {
    /// A plain number.
    Int(i32),
    /// A name or a percentage.
    String(String),
}

impl IntOrString {
    /// The whole percentage of a value like `25%`; `None` for anything else.
    pub fn percent(&self) -> Option<u32> {
        match self {
            Self::Int(_) => None,
            Self::String(text) => text.strip_suffix('%')?.parse().ok(),
        }
    }

    /// Resolves a count or percentage against `total`, rounding up or down; `None` where it is neither.
    pub fn scaled(&self, total: u32, round_up: bool) -> Option<u32> {
        match self {
            Self::Int(count) => u32::try_from(*count).ok(),
            Self::String(_) => {
                let hundredths = u64::from(self.percent()?) * u64::from(total);
                let whole = if round_up {
                    hundredths.div_ceil(100)
                } else {
                    hundredths / 100
                };
                u32::try_from(whole).ok()
            }
        }
    }
}

impl Default for IntOrString {
    fn default() -> Self {
        Self::Int(0)
    }
}

impl From<i32> for IntOrString {
    fn from(value: i32) -> Self {
        Self::Int(value)
    }
}

impl From<&str> for IntOrString {
    fn from(value: &str) -> Self {
        Self::String(value.to_owned())
    }
}

impl fmt::Display for IntOrString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(value) => value.fmt(f),
            Self::String(value) => value.fmt(f),
        }
    }
}
