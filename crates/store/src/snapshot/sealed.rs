//! A file that is sealed, piece by piece.
//!
//! `SKEPSEAL`, a version, 16 bytes that no other file has, the label of the key (its length in 16 bits, then the text);
//! then pieces of `length, sealed bytes`, the highest bit of the length set in the last one. A piece is sealed for all that
//! stands before the pieces, its number, and whether it is the last: pieces can be neither swapped, nor left out, nor taken
//! from another file, and the end cannot be cut off. Numbers are big-endian.

use std::{
    fmt,
    io::{self, Read, Write},
    sync::Arc,
};

use super::frames::damaged;
use crate::vault::{LABEL_BYTES_MAX, Seal, Vault};

pub(super) const MAGIC: &[u8; 8] = b"SKEPSEAL";
const VERSION: u32 = 1;
const PIECE_BYTES: usize = 256 * 1024;
/// A piece with what sealing adds to it.
const SEALED_BYTES_MAX: usize = PIECE_BYTES + 4096;
const LAST: u32 = 1 << 31;

/// What stands before the pieces.
struct Header {
    bytes: Vec<u8>,
    label: String,
}

impl Header {
    fn new(label: String) -> io::Result<Self> {
        let len = u16::try_from(label.len())
            .ok()
            .filter(|len| usize::from(*len) <= LABEL_BYTES_MAX);
        let len = len.ok_or_else(|| io::Error::other("the label of the key is too long"))?;
        let mut bytes = MAGIC.to_vec();
        bytes.extend(VERSION.to_be_bytes());
        bytes.extend(uuid::Uuid::new_v4().as_bytes());
        bytes.extend(len.to_be_bytes());
        bytes.extend(label.as_bytes());
        Ok(Self { bytes, label })
    }

    /// Reads what follows the magic.
    fn read(input: &mut impl Read) -> io::Result<Self> {
        let mut fixed = [0; 4 + 16 + 2];
        input.read_exact(&mut fixed)?;
        let [a, b, c, d, .., high, low] = fixed;
        match u32::from_be_bytes([a, b, c, d]) {
            VERSION => {}
            other => {
                return Err(damaged(format!(
                    "it is sealed in format {other}, this version knows format {VERSION} alone"
                )));
            }
        }
        let len = usize::from(u16::from_be_bytes([high, low]));
        if len > LABEL_BYTES_MAX {
            return Err(damaged("the label of its key is damaged"));
        }
        let mut label = vec![0; len];
        input.read_exact(&mut label)?;
        let bytes = [&MAGIC[..], &fixed, &label].concat();
        let label = String::from_utf8(label).map_err(|_| damaged("the label of its key is damaged"))?;
        Ok(Self { bytes, label })
    }

    /// What a piece is sealed for.
    fn place(&self, number: u64, last: bool) -> Vec<u8> {
        let mut place = self.bytes.clone();
        place.extend(number.to_be_bytes());
        place.push(u8::from(last));
        place
    }
}

/// Seals a snapshot that is written to it, as [`crate::restore`] and [`crate::inspect`] open it. It is whole once
/// [`SealedWriter::finish`] has returned; what is dropped before has no end, which whoever reads it is told.
pub struct SealedWriter<W: Write> {
    out: W,
    seal: Seal,
    header: Option<Header>,
    piece: Vec<u8>,
    number: u64,
    written: u64,
}

impl<W: Write> SealedWriter<W> {
    /// Where there is no vault, all goes through as it is.
    pub(crate) fn new(mut out: W, seal: &Seal) -> io::Result<Self> {
        let header = seal.label().map(Header::new).transpose()?;
        if let Some(header) = &header {
            out.write_all(&header.bytes)?;
        }
        Ok(Self {
            out,
            seal: seal.clone(),
            written: header.as_ref().map_or(0, |header| header.bytes.len() as u64),
            header,
            piece: Vec::new(),
            number: 0,
        })
    }

    /// Seals with this vault.
    ///
    /// # Errors
    /// Where `out` fails.
    pub fn with(out: W, vault: Arc<dyn Vault>) -> io::Result<Self> {
        Self::new(out, &Seal::new(Some(vault)))
    }

    /// Lets all through as it is.
    ///
    /// # Errors
    /// Where `out` fails.
    pub fn clear(out: W) -> io::Result<Self> {
        Self::new(out, &Seal::default())
    }

    /// Writes the last piece. What it wrote to, and how many bytes that were.
    ///
    /// # Errors
    /// Where what it writes to fails.
    pub fn finish(mut self) -> io::Result<(W, u64)> {
        self.end_piece(true)?;
        self.out.flush()?;
        Ok((self.out, self.written))
    }

    fn end_piece(&mut self, last: bool) -> io::Result<()> {
        let (Some(vault), Some(header)) = (self.seal.vault(), &self.header) else {
            return Ok(());
        };
        let sealed = vault.seal(&header.place(self.number, last), &self.piece);
        let len = u32::try_from(sealed.len()).map_err(io::Error::other)?;
        let len = if last { len | LAST } else { len };
        self.out.write_all(&len.to_be_bytes())?;
        self.out.write_all(&sealed)?;
        self.written += 4 + sealed.len() as u64;
        self.number += 1;
        self.piece.clear();
        Ok(())
    }
}

impl<W: Write> Write for SealedWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.header.is_none() {
            let taken = self.out.write(bytes)?;
            self.written += taken as u64;
            return Ok(taken);
        }
        // A full piece waits for the next byte: only then it is known not to be the last.
        if self.piece.len() == PIECE_BYTES && !bytes.is_empty() {
            self.end_piece(false)?;
        }
        let taken = bytes.len().min(PIECE_BYTES - self.piece.len());
        self.piece.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    /// Nothing leaves before its piece is full: a piece that is sealed twice would be two pieces.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<W: Write> fmt::Debug for SealedWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedWriter({} bytes)", self.written)
    }
}

/// Opens what was sealed, piece by piece; what is in the clear goes through, where it may.
pub(crate) struct SealedReader<R: Read> {
    input: R,
    seal: Seal,
    header: Option<Header>,
    piece: Vec<u8>,
    at: usize,
    number: u64,
    ended: bool,
}

impl<R: Read> SealedReader<R> {
    pub(crate) fn new(mut input: R, seal: &Seal) -> io::Result<Self> {
        let mut magic = [0; 8];
        input.read_exact(&mut magic)?;
        let header = if magic == *MAGIC {
            Some(Header::read(&mut input)?)
        } else {
            seal.pass_clear()?;
            None
        };
        Ok(Self {
            input,
            seal: seal.clone(),
            piece: if header.is_some() {
                Vec::new()
            } else {
                magic.to_vec()
            },
            header,
            at: 0,
            number: 0,
            ended: false,
        })
    }

    /// The label of the key that it was sealed with; `None` for what is in the clear.
    pub(crate) fn into_label(self) -> Option<String> {
        self.header.map(|header| header.label)
    }

    /// False at the end.
    fn next_piece(&mut self, header: &Header) -> io::Result<bool> {
        if self.ended {
            return Ok(false);
        }
        let mut len = [0; 4];
        self.input.read_exact(&mut len)?;
        let len = u32::from_be_bytes(len);
        let (last, len) = (len & LAST != 0, (len & !LAST) as usize);
        if len > SEALED_BYTES_MAX {
            return Err(damaged("the length of a piece is damaged"));
        }
        let mut sealed = vec![0; len];
        self.input.read_exact(&mut sealed)?;
        self.piece = self.seal.open(&header.place(self.number, last), &sealed)?;
        self.at = 0;
        self.number += 1;
        if last {
            if self.input.read(&mut [0])? != 0 {
                return Err(damaged("it goes on after its end"));
            }
            self.ended = true;
        }
        Ok(true)
    }
}

impl<R: Read> Read for SealedReader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.at == self.piece.len() {
            let Some(header) = self.header.take() else {
                return self.input.read(out);
            };
            let more = self.next_piece(&header);
            self.header = Some(header);
            if !more? {
                return Ok(0);
            }
        }
        let taken = out.len().min(self.piece.len() - self.at);
        out[..taken].copy_from_slice(&self.piece[self.at..self.at + taken]);
        self.at += taken;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::vault::testing::keyed;

    fn written(bytes: &[u8], seal: &Seal) -> Vec<u8> {
        let mut writer = SealedWriter::new(Vec::new(), seal).unwrap();
        writer.write_all(bytes).unwrap();
        let (file, len) = writer.finish().unwrap();
        assert_eq!(len, file.len() as u64);
        file
    }

    fn read(file: &[u8], seal: &Seal) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        SealedReader::new(file, seal)?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Where the pieces begin and end.
    fn pieces(file: &[u8], label: &str) -> Vec<(usize, usize)> {
        let mut from = 8 + 4 + 16 + 2 + label.len();
        let mut pieces = Vec::new();
        while from < file.len() {
            let len: [u8; 4] = file[from..from + 4].try_into().unwrap();
            let to = from + 4 + (u32::from_be_bytes(len) & !LAST) as usize;
            pieces.push((from, to));
            from = to;
        }
        pieces
    }

    #[test]
    fn what_was_sealed_comes_back_whatever_its_length() {
        let seal = keyed(1);
        for len in [
            0,
            1,
            PIECE_BYTES - 1,
            PIECE_BYTES,
            PIECE_BYTES + 1,
            3 * PIECE_BYTES,
        ] {
            let bytes: Vec<u8> = (0..len).map(|at| (at % 251) as u8).collect();
            let file = written(&bytes, &seal);
            assert!(read(&file, &seal).unwrap() == bytes, "{len} bytes");
            assert!(read(&file, &keyed(2)).is_err(), "another key");
        }
    }

    #[test]
    fn what_is_in_the_clear_passes_only_where_it_may() {
        let bytes = [7; 1000];
        let file = written(&bytes, &Seal::default());
        assert_eq!(file, bytes);
        assert_eq!(read(&file, &Seal::default()).unwrap(), bytes);
        assert_eq!(read(&file, &keyed(1).or_clear()).unwrap(), bytes);
        assert!(read(&file, &keyed(1)).is_err());
    }

    #[test]
    fn pieces_are_neither_swapped_nor_left_out_nor_taken_from_elsewhere() {
        let seal = keyed(1);
        let label = seal.label().unwrap();
        let bytes = vec![7; 3 * PIECE_BYTES];
        let (file, other) = (written(&bytes, &seal), written(&bytes, &seal));
        let at = pieces(&file, &label);
        let piece = |number: usize| &file[at[number].0..at[number].1];
        let head = &file[..at[0].0];
        let swapped = [head, piece(1), piece(0), piece(2)].concat();
        let shorter = [head, piece(0), piece(2)].concat();
        let cut = [head, piece(0), piece(1)].concat();
        let longer = [&file[..], piece(2)].concat();
        let foreign = [head, &other[at[0].0..at[0].1], piece(1), piece(2)].concat();
        for wrong in [swapped, shorter, cut, longer, foreign] {
            assert!(read(&wrong, &seal).is_err());
        }
        assert!(read(&[head, piece(0), piece(1), piece(2)].concat(), &seal).unwrap() == bytes);
    }

    proptest! {
        #[test]
        fn any_changed_byte_is_refused(at in any::<prop::sample::Index>(), flip in 1u8..) {
            let seal = keyed(1);
            let mut file = written(&[7; 1000], &seal);
            let at = at.index(file.len());
            file[at] ^= flip;
            prop_assert!(read(&file, &seal).is_err());
        }

        #[test]
        fn any_missing_end_is_refused(at in any::<prop::sample::Index>()) {
            let seal = keyed(1);
            let file = written(&[7; 1000], &seal);
            prop_assert!(read(&file[..at.index(file.len())], &seal).is_err());
        }
    }
}
