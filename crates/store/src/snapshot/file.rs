//! One snapshot: what it covers, then the records of the state.

use std::{
    fs::File,
    io::{self, BufReader, BufWriter, Read, Write},
    path::{Path, PathBuf},
};

use skep_state::{Restore, State};

use super::{
    Head,
    decode::for_each_record,
    frames::{FrameReader, FrameWriter, damaged},
    gentle::{Care, Gentle},
    sealed::{SealedReader, SealedWriter},
};
use crate::{folder, vault::Seal};

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
/// Gives up with `StorageFull` once fewer bytes are free than are to stay so: the log needs them more.
pub(crate) fn write(path: &Path, head: &Head, state: &State, seal: &Seal, care: &Care) -> io::Result<u64> {
    let mut bytes = 0;
    folder::write_file(path, |file| {
        let out = Gentle::new(file, path.parent().unwrap_or(Path::new(".")), care);
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
    let mut head = Vec::new();
    if !read_record(&mut frames, &mut head)? {
        return Err(damaged("it is empty"));
    }
    let head: Head = serde_json::from_slice(&head)?;
    let mut restore = Restore::default();
    for_each_record(&mut frames, |record| restore.take(record).map_err(invalid))?;
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

/// Adds the next record to `out`; false at the end.
pub(super) fn read_record(input: &mut impl Read, out: &mut Vec<u8>) -> io::Result<bool> {
    let mut len = [0; 4];
    if input.read(&mut len[..1])? == 0 {
        return Ok(false);
    }
    input.read_exact(&mut len[1..])?;
    let len = u32::from_be_bytes(len) as usize;
    if len > RECORD_BYTES_MAX {
        return Err(damaged("the length of a record is damaged"));
    }
    let start = out.len();
    out.resize(start + len, 0);
    input.read_exact(&mut out[start..])?;
    Ok(true)
}

fn invalid(error: skep_state::RestoreError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
