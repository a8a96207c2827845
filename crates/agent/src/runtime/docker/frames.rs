//! What a command writes, out of the bytes that the engine sends.

use std::io;

use bytes::{Buf, BytesMut};
use tokio_util::codec::Decoder;

use crate::runtime::Output;

/// Stream number, three zeros, and the length of what follows.
const HEADER_BYTES: usize = 8;
const STDERR: u8 = 2;

/// A terminal's bytes come as they are; those of two streams in frames that tell which.
pub(super) enum Frames {
    Terminal,
    Multiplexed,
}

impl Decoder for Frames {
    type Item = Output;
    type Error = io::Error;

    fn decode(&mut self, bytes: &mut BytesMut) -> io::Result<Option<Output>> {
        match self {
            Self::Terminal if bytes.is_empty() => Ok(None),
            Self::Terminal => Ok(Some(Output::Stdout(bytes.split().freeze()))),
            Self::Multiplexed => Ok(frame(bytes)),
        }
    }

    /// A frame that was cut off is not output.
    fn decode_eof(&mut self, bytes: &mut BytesMut) -> io::Result<Option<Output>> {
        let decoded = self.decode(bytes)?;
        if decoded.is_none() {
            bytes.clear();
        }
        Ok(decoded)
    }
}

fn frame(bytes: &mut BytesMut) -> Option<Output> {
    let header = bytes.get(..HEADER_BYTES)?;
    let stream = header[0];
    let length = u32::from_be_bytes([header[4], header[5], header[6], header[7]]) as usize;
    if bytes.len() < HEADER_BYTES + length {
        bytes.reserve(HEADER_BYTES + length - bytes.len());
        return None;
    }
    bytes.advance(HEADER_BYTES);
    let payload = bytes.split_to(length).freeze();
    Some(if stream == STDERR {
        Output::Stderr(payload)
    } else {
        Output::Stdout(payload)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(mut frames: Frames, pieces: &[&[u8]]) -> Vec<Output> {
        let (mut bytes, mut outputs) = (BytesMut::new(), Vec::new());
        for piece in pieces {
            bytes.extend_from_slice(piece);
            while let Some(output) = frames.decode(&mut bytes).expect("it is read") {
                outputs.push(output);
            }
        }
        outputs.extend(frames.decode_eof(&mut bytes).expect("it is read"));
        outputs
    }

    #[test]
    fn frames_are_put_together_from_pieces_of_any_size() {
        let sent = b"\x01\0\0\0\0\0\0\x02hi\x02\0\0\0\0\0\0\x03err\x01\0\0\0\0\0\0\x01!";
        let expected = [
            Output::Stdout("hi".into()),
            Output::Stderr("err".into()),
            Output::Stdout("!".into()),
        ];
        for size in 1..=sent.len() {
            let pieces: Vec<&[u8]> = sent.chunks(size).collect();
            assert_eq!(
                decoded(Frames::Multiplexed, &pieces),
                expected,
                "in pieces of {size}"
            );
        }
    }

    #[test]
    fn a_frame_that_is_cut_off_is_left_out() {
        assert_eq!(decoded(Frames::Multiplexed, &[b"\x01\0\0\0\0\0\0\x09hi"]), []);
    }

    #[test]
    fn a_terminal_may_write_any_byte() {
        assert_eq!(
            decoded(Frames::Terminal, &[b"\x00\x01", b"\x02"]),
            [
                Output::Stdout(b"\x00\x01"[..].into()),
                Output::Stdout(b"\x02"[..].into())
            ]
        );
    }
}
