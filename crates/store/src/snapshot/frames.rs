//! A checksummed stream of bytes: frames with a checksum each, and one over everything at the end.
//!
//! `SKEPSNAP`, a version, then frames of `length, checksum, bytes`, the bytes an LZ4 block behind its size; a frame of length
//! 0 carries the checksum of all that comes before it and ends the stream. Numbers are big-endian and 32 bits wide, but for
//! the size, which LZ4 has little-endian.

use std::io::{self, Read, Write};

use lz4_flex::block::{compress_prepend_size, decompress, uncompressed_size};

const MAGIC: &[u8; 8] = b"SKEPSNAP";
const VERSION: u32 = 2;
const FRAME_BYTES: usize = 256 * 1024;
const FRAME_BYTES_MAX: usize = 1024 * 1024;

/// Cuts what is written into frames.
pub(super) struct FrameWriter<W: Write> {
    out: W,
    frame: Vec<u8>,
    total: crc32fast::Hasher,
}

impl<W: Write> FrameWriter<W> {
    pub(super) fn new(out: W) -> io::Result<Self> {
        let mut writer = Self {
            out,
            frame: Vec::new(),
            total: crc32fast::Hasher::new(),
        };
        writer.put(MAGIC)?;
        writer.put(&VERSION.to_be_bytes())?;
        Ok(writer)
    }

    /// Writes the end; what it was written to.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.end_frame()?;
        self.put(&0u32.to_be_bytes())?;
        let total = self.total.clone().finalize();
        self.put(&total.to_be_bytes())?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn end_frame(&mut self) -> io::Result<()> {
        if self.frame.is_empty() {
            return Ok(());
        }
        let packed = compress_prepend_size(&self.frame);
        self.frame.clear();
        let len = u32::try_from(packed.len()).map_err(io::Error::other)?;
        self.put(&len.to_be_bytes())?;
        self.put(&crc32fast::hash(&packed).to_be_bytes())?;
        self.put(&packed)
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.total.update(bytes);
        Ok(())
    }
}

impl<W: Write> Write for FrameWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = FRAME_BYTES - self.frame.len();
        let taken = bytes.len().min(room);
        self.frame.extend_from_slice(&bytes[..taken]);
        if self.frame.len() == FRAME_BYTES {
            self.end_frame()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Gives back what was written, frame by frame, each checked before any of it is given out.
pub(super) struct FrameReader<R: Read> {
    input: R,
    packed: Vec<u8>,
    frame: Vec<u8>,
    at: usize,
    total: crc32fast::Hasher,
    ended: bool,
}

impl<R: Read> FrameReader<R> {
    pub(super) fn new(input: R) -> io::Result<Self> {
        let total = crc32fast::Hasher::new();
        let mut reader = Self {
            input,
            packed: Vec::new(),
            frame: Vec::new(),
            at: 0,
            total,
            ended: false,
        };
        let mut magic = [0; 8];
        reader.get(&mut magic)?;
        if magic != *MAGIC {
            return Err(damaged("it is not a snapshot"));
        }
        match reader.get_u32()? {
            VERSION => Ok(reader),
            other => Err(damaged(format!(
                "its format is {other}, this version knows format {VERSION} alone"
            ))),
        }
    }

    /// Checks that the end has been reached and that the whole is as it was written.
    pub(super) fn finish(mut self) -> io::Result<()> {
        if self.at < self.frame.len() || self.next_frame()? {
            return Err(damaged("it goes on after its last record"));
        }
        Ok(())
    }

    /// False at the end.
    fn next_frame(&mut self) -> io::Result<bool> {
        if self.ended {
            return Ok(false);
        }
        let len = self.get_u32()? as usize;
        if len == 0 {
            self.end()?;
            return Ok(false);
        }
        if len > FRAME_BYTES_MAX {
            return Err(damaged("the length of a frame is damaged"));
        }
        let sum = self.get_u32()?;
        let mut packed = std::mem::take(&mut self.packed);
        packed.resize(len, 0);
        self.get(&mut packed)?;
        if crc32fast::hash(&packed) != sum {
            return Err(damaged("the checksum of a frame does not match"));
        }
        self.frame = unpacked(&packed)?;
        (self.packed, self.at) = (packed, 0);
        Ok(true)
    }

    fn end(&mut self) -> io::Result<()> {
        let total = self.total.clone().finalize();
        if self.get_u32()? != total {
            return Err(damaged("the checksum of the whole does not match"));
        }
        if self.input.read(&mut [0])? != 0 {
            return Err(damaged("it goes on after its end"));
        }
        (self.ended, self.at) = (true, 0);
        self.frame.clear();
        Ok(())
    }

    fn get_u32(&mut self) -> io::Result<u32> {
        let mut bytes = [0; 4];
        self.get(&mut bytes)?;
        Ok(u32::from_be_bytes(bytes))
    }

    fn get(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        self.input.read_exact(bytes)?;
        self.total.update(bytes);
        Ok(())
    }
}

impl<R: Read> Read for FrameReader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.at == self.frame.len() && !self.next_frame()? {
            return Ok(0);
        }
        let taken = out.len().min(self.frame.len() - self.at);
        out[..taken].copy_from_slice(&self.frame[self.at..self.at + taken]);
        self.at += taken;
        Ok(taken)
    }
}

/// What is in a frame; at least one byte.
fn unpacked(packed: &[u8]) -> io::Result<Vec<u8>> {
    let no_block = |_| damaged("a frame cannot be unpacked");
    let (size, block) = uncompressed_size(packed).map_err(no_block)?;
    if size == 0 || size > FRAME_BYTES_MAX {
        return Err(damaged("the size of a frame is damaged"));
    }
    let frame = decompress(block, size).map_err(no_block)?;
    if frame.len() != size {
        return Err(damaged("a frame is shorter than it says"));
    }
    Ok(frame)
}

pub(super) fn damaged(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut writer = FrameWriter::new(&mut out).unwrap();
        writer.write_all(bytes).unwrap();
        writer.finish().unwrap();
        out
    }

    fn read(file: &[u8], len: usize) -> io::Result<Vec<u8>> {
        let mut reader = FrameReader::new(file)?;
        let mut bytes = vec![0; len];
        reader.read_exact(&mut bytes)?;
        reader.finish()?;
        Ok(bytes)
    }

    #[test]
    fn gives_back_what_was_written() {
        for len in [
            0,
            1,
            FRAME_BYTES - 1,
            FRAME_BYTES,
            FRAME_BYTES + 1,
            3 * FRAME_BYTES,
        ] {
            let bytes: Vec<u8> = (0..len).map(|at| (at % 251) as u8).collect();
            assert_eq!(read(&written(&bytes), len).unwrap(), bytes, "{len} bytes");
        }
    }

    /// A file of one frame whose checksums are right, whatever is in it.
    fn checked(packed: &[u8]) -> Vec<u8> {
        let mut writer = FrameWriter::new(Vec::new()).unwrap();
        writer
            .put(&u32::try_from(packed.len()).unwrap().to_be_bytes())
            .unwrap();
        writer.put(&crc32fast::hash(packed).to_be_bytes()).unwrap();
        writer.put(packed).unwrap();
        writer.finish().unwrap()
    }

    #[test]
    fn a_frame_that_is_no_block_is_refused() {
        let block = compress_prepend_size(&[7; 1000]);
        assert_eq!(read(&checked(&block), 1000).unwrap(), [7; 1000]);
        let sized = |size: u32| [&size.to_le_bytes()[..], &block[4..]].concat();
        for (wrong, why) in [
            (sized(0), "the size of a frame is damaged"),
            (sized(u32::MAX), "the size of a frame is damaged"),
            (sized(1001), "a frame is shorter than it says"),
            (sized(999), "a frame cannot be unpacked"),
            (block[..block.len() - 1].to_vec(), "a frame cannot be unpacked"),
            (b"abc".to_vec(), "a frame cannot be unpacked"),
        ] {
            let error = read(&checked(&wrong), 1000).unwrap_err();
            assert_eq!(error.to_string(), why);
        }
    }

    proptest! {
        #[test]
        fn any_frame_is_read_or_refused(packed in prop::collection::vec(any::<u8>(), 1..300)) {
            read(&checked(&packed), 1).ok();
        }

        #[test]
        fn any_changed_byte_is_noticed(at in any::<prop::sample::Index>(), flip in 1u8..) {
            let bytes = vec![7; 1000];
            let mut file = written(&bytes);
            let at = at.index(file.len());
            file[at] ^= flip;
            prop_assert!(read(&file, 1000).is_err());
        }

        #[test]
        fn any_missing_end_is_noticed(at in any::<prop::sample::Index>()) {
            let file = written(&[7; 1000]);
            prop_assert!(read(&file[..at.index(file.len())], 1000).is_err());
        }
    }
}
