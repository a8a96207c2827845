//! Documents as JSON.

use serde::Serialize;
use serde_json::{Serializer, ser::PrettyFormatter};

/// A document as JSON, four spaces a level, with an end of line.
///
/// # Errors
/// Where the document cannot be written, which values of JSON always can.
pub(crate) fn json(document: &impl Serialize) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut bytes, PrettyFormatter::with_indent(b"    "));
    document.serialize(&mut serializer)?;
    bytes.push(b'\n');
    Ok(String::from_utf8(bytes)?)
}
