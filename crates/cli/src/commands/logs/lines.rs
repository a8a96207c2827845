//! Whole lines with a prefix, out of chunks that end anywhere.

/// A line without end that is longer is passed on in parts.
const LINE_BYTES_MAX: usize = 1 << 20;

/// Collects chunks of one log and gives its whole lines, each with the prefix.
#[derive(Debug)]
pub(super) struct Lines {
    prefix: String,
    rest: Vec<u8>,
}

impl Lines {
    /// Lines of a log that begin with `prefix`.
    pub(super) fn new(prefix: String) -> Self {
        Self {
            prefix,
            rest: Vec::new(),
        }
    }

    /// The lines that the chunk makes whole.
    pub(super) fn take(&mut self, chunk: &[u8]) -> Vec<u8> {
        self.rest.extend_from_slice(chunk);
        let end = match self.rest.iter().rposition(|byte| *byte == b'\n') {
            Some(last) => last + 1,
            None if self.rest.len() > LINE_BYTES_MAX => return self.finish(),
            None => return Vec::new(),
        };
        let whole: Vec<u8> = self.rest.drain(..end).collect();
        self.prefixed(&whole)
    }

    /// What is left when the log ends, ended as a line.
    pub(super) fn finish(&mut self) -> Vec<u8> {
        if self.rest.is_empty() {
            return Vec::new();
        }
        let mut rest = std::mem::take(&mut self.rest);
        rest.push(b'\n');
        self.prefixed(&rest)
    }

    fn prefixed(&self, whole: &[u8]) -> Vec<u8> {
        if self.prefix.is_empty() {
            return whole.to_vec();
        }
        let lines = whole.split_inclusive(|byte| *byte == b'\n');
        lines
            .flat_map(|line| [self.prefix.as_bytes(), line])
            .flatten()
            .copied()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_whole_and_prefixed_wherever_chunks_end() {
        let mut lines = Lines::new("[pod/web/main] ".to_owned());
        assert_eq!(lines.take(b"hel"), b"");
        assert_eq!(lines.take(b"lo\nwor"), b"[pod/web/main] hello\n");
        assert_eq!(lines.take(b"ld\n\nx"), b"[pod/web/main] world\n[pod/web/main] \n");
        assert_eq!(lines.finish(), b"[pod/web/main] x\n");
        assert_eq!(lines.finish(), b"");
    }

    #[test]
    fn a_line_without_end_takes_no_end_of_memory() {
        let mut lines = Lines::new(String::new());
        let chunk = vec![b'x'; LINE_BYTES_MAX + 1];
        assert_eq!(lines.take(&chunk).len(), LINE_BYTES_MAX + 2);
        assert!(lines.rest.is_empty());
    }
}
