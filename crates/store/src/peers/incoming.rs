//! Puts together a snapshot that a leader sends in pieces.

use std::{
    fs::File,
    io::{self, Write},
    path::PathBuf,
    sync::Arc,
};

use tokio::sync::Mutex;

use super::message::{Chunk, ChunkReply};
use crate::{
    blocking::blocking,
    snapshot::{SealedWriter, SnapshotFile, Snapshots},
    space,
};

/// At most one snapshot is on its way in; the newest attempt wins.
pub(crate) struct Incoming {
    snapshots: Arc<Snapshots>,
    partial: Mutex<Option<Partial>>,
}

struct Partial {
    transfer: u64,
    path: PathBuf,
    /// `None` once all is written.
    file: Option<SealedWriter<File>>,
    written: u64,
}

/// What a piece led to.
pub(super) enum Progress {
    Reply(ChunkReply),
    /// All pieces are there, and the whole is as it was sent.
    Complete(Box<SnapshotFile>),
}

impl Incoming {
    pub(crate) fn new(snapshots: Arc<Snapshots>) -> Self {
        Self {
            snapshots,
            partial: Mutex::default(),
        }
    }

    /// Takes a piece.
    pub(super) async fn take(&self, chunk: Chunk) -> io::Result<Progress> {
        let mut slot = self.partial.lock().await;
        let partial = slot.take();
        let snapshots = self.snapshots.clone();
        let (partial, progress) = blocking(move || take(&snapshots, partial, &chunk)).await??;
        *slot = partial;
        Ok(progress)
    }
}

fn take(
    snapshots: &Snapshots,
    partial: Option<Partial>,
    chunk: &Chunk,
) -> io::Result<(Option<Partial>, Progress)> {
    let partial = match partial {
        Some(partial) if partial.transfer == chunk.transfer && partial.written == chunk.offset => partial,
        _ if chunk.offset == 0 => Partial::begin(snapshots, chunk.transfer)?,
        // A piece that comes twice, or late: what there is belongs to another attempt, and stays.
        other => return Ok((other, Progress::Reply(ChunkReply::Begin))),
    };
    let partial = partial.write(snapshots, &chunk.bytes)?;
    if !chunk.last {
        return Ok((Some(partial), Progress::Reply(ChunkReply::Written)));
    }
    let file = SnapshotFile::load(partial.keep()?, snapshots.seal())?;
    Ok((None, Progress::Complete(Box::new(file))))
}

impl Partial {
    fn begin(snapshots: &Snapshots, transfer: u64) -> io::Result<Self> {
        let path = snapshots.path_of_incoming(transfer);
        let file = SealedWriter::new(File::create(&path)?, snapshots.seal())?;
        Ok(Self {
            transfer,
            path,
            file: Some(file),
            written: 0,
        })
    }

    fn write(mut self, snapshots: &Snapshots, bytes: &[u8]) -> io::Result<Self> {
        let needed = snapshots.care().reserve + bytes.len() as u64;
        if let Some(free) = self.path.parent().and_then(space::free_bytes)
            && free < needed
        {
            let why = format!("{free} bytes are free and {needed} are needed: free some space");
            return Err(io::Error::new(io::ErrorKind::StorageFull, why));
        }
        if let Some(file) = &mut self.file {
            file.write_all(bytes)?;
        }
        self.written += bytes.len() as u64;
        Ok(self)
    }

    /// Ends the attempt and leaves the file where it is.
    fn keep(mut self) -> io::Result<PathBuf> {
        self.file.take().map(SealedWriter::finish).transpose()?;
        Ok(std::mem::take(&mut self.path))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.path.as_os_str().is_empty() {
            std::fs::remove_file(&self.path).ok();
        }
    }
}
