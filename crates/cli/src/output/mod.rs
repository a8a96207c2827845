//! What commands print: plain aligned tables, documents, and the formats of `-o`.

mod columns;
mod format;
mod json;
mod jsonpath;
mod table;
mod yaml;

pub(crate) use columns::CustomColumns;
pub(crate) use format::{OutputArgs, OutputFormat};
pub(crate) use json::json;
pub(crate) use jsonpath::JsonPath;
pub(crate) use table::Table;
pub(crate) use yaml::yaml;

use std::io::Write;

/// Writes text to standard output at once.
///
/// # Errors
/// Where it cannot be written, as when the reader is gone: pass it on, `main` knows what it means.
pub(crate) fn write(text: &str) -> anyhow::Result<()> {
    write_bytes(text.as_bytes())
}

/// Writes bytes to standard output at once.
///
/// # Errors
/// As [`write()`].
pub(crate) fn write_bytes(bytes: &[u8]) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()?;
    Ok(())
}
