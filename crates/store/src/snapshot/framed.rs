//! A snapshot's file with any content behind checksums that are right, for fuzzers.

use std::io::{self, Write};

use super::frames::FrameWriter;

/// The file.
pub(crate) fn framed(content: &[u8]) -> io::Result<Vec<u8>> {
    let mut frames = FrameWriter::new(Vec::new())?;
    frames.write_all(content)?;
    frames.finish()
}
