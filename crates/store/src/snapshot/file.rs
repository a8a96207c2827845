//! One snapshot: what it covers, then the records of the state.

use std::{
    fs::File,
    io::{self, BufReader, BufWriter, Read, Write},
    path::{Path, PathBuf},
};

use skep_state::{Restore, State};

use super::{
    Head,
    frames::{FrameReader, FrameWriter, damaged},
    sealed::{SealedReader, SealedWriter},
};
use crate::{folder, space, vault::Seal};

/// No record is longer than this; a longer one is damage that the checksums missed.
const RECORD_BYTES_MAX: usize = 256 * 1024 * 1024;

const BUFFER_BYTES: usize = 64 * 1024;

/// Reads a file that may be sealed.
pub(crate) type ClearFile = SealedReader<BufReader<File>>;

/// A snapshot on disk, as it is handed to consensus.
#[derive(Clone, Debug, Default)]
pub(crate) struct SnapshotFile {
    pub(crate) path: PathBuf,
    /// What is in it, where it has been read already.
    pub(crate) contents: Option<Box<(Head, State)>>,
}

impl SnapshotFile {
    pub(crate) fn at(path: PathBuf) -> Self {
        Self { path, contents: None }
    }

    /// Reads a snapshot that came from elsewhere, checking all of it. Blocks.
    pub(crate) fn load(path: PathBuf, seal: &Seal) -> io::Result<Self> {
        let contents = Some(Box::new(read(&path, seal)?));
        Ok(Self { path, contents })
    }
}

/// Writes a snapshot to `path`, whole or not at all; how many bytes it has.
///
/// Gives up with `StorageFull` once fewer than `reserve` bytes are free: the log needs them more.
pub(crate) fn write(path: &Path, head: &Head, state: &State, seal: &Seal, reserve: u64) -> io::Result<u64> {
    let mut bytes = 0;
    folder::write_file(path, |file| {
        let out = Careful {
            file,
            dir: path.parent().unwrap_or(Path::new(".")),
            reserve,
        };
        bytes = encode(out, head, state, seal)?;
        Ok(())
    })?;
    Ok(bytes)
}

/// Writes a snapshot to anything; how many bytes it has.
pub(crate) fn encode(out: impl Write, head: &Head, state: &State, seal: &Seal) -> io::Result<u64> {
    let out = SealedWriter::new(BufWriter::with_capacity(BUFFER_BYTES, out), seal)?;
    let mut frames = FrameWriter::new(out)?;
    write_record(&mut frames, &serde_json::to_vec(head)?)?;
    for record in state.records() {
        write_record(&mut frames, &record)?;
    }
    let (_, bytes) = frames.finish()?.finish()?;
    Ok(bytes)
}

/// Reads a snapshot, checking all of it.
pub(crate) fn read(path: &Path, seal: &Seal) -> io::Result<(Head, State)> {
    let mut frames = FrameReader::new(open(path, seal)?)?;
    let head = read_record(&mut frames)?.ok_or_else(|| damaged("it is empty"))?;
    let head: Head = serde_json::from_slice(&head)?;
    let mut restore = Restore::default();
    while let Some(record) = read_record(&mut frames)? {
        restore.push(&record).map_err(invalid)?;
    }
    frames.finish()?;
    Ok((head, restore.finish().map_err(invalid)?))
}

/// A snapshot's file as it is in the clear, unchecked.
pub(crate) fn open(path: &Path, seal: &Seal) -> io::Result<ClearFile> {
    SealedReader::new(BufReader::with_capacity(BUFFER_BYTES, File::open(path)?), seal)
}

fn write_record(out: &mut impl Write, record: &[u8]) -> io::Result<()> {
    let len = u32::try_from(record.len()).map_err(io::Error::other)?;
    out.write_all(&len.to_be_bytes())?;
    out.write_all(record)
}

/// `None` at the end.
fn read_record(input: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut len = [0; 4];
    if input.read(&mut len[..1])? == 0 {
        return Ok(None);
    }
    input.read_exact(&mut len[1..])?;
    let len = u32::from_be_bytes(len) as usize;
    if len > RECORD_BYTES_MAX {
        return Err(damaged("the length of a record is damaged"));
    }
    let mut record = vec![0; len];
    input.read_exact(&mut record)?;
    Ok(Some(record))
}

fn invalid(error: skep_state::RestoreError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// Writes to a file as long as enough space stays free.
struct Careful<'a> {
    file: &'a mut File,
    dir: &'a Path,
    reserve: u64,
}

impl Write for Careful<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let needed = self.reserve + bytes.len() as u64;
        match space::free_bytes(self.dir) {
            Some(free) if free < needed => Err(io::Error::new(
                io::ErrorKind::StorageFull,
                format!(
                    "{} are free and {} are kept in reserve: free some space",
                    space::mib(free),
                    space::mib(self.reserve)
                ),
            )),
            _ => self.file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
