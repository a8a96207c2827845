//! How much memory an object is worth, roughly.

use std::io::{self, Write};

use serde::Serialize;

/// The length of the value's JSON in bytes: the same on every replica.
pub(crate) fn weight(value: &impl Serialize) -> u32 {
    let mut counter = Counter(0);
    serde_json::to_writer(&mut counter, value).expect("objects hold nothing that JSON cannot hold");
    u32::try_from(counter.0).unwrap_or(u32::MAX)
}

struct Counter(u64);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
