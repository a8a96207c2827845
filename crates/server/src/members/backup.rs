//! The whole state as one file, sent in pieces.

use std::{
    io::{self, Write},
    sync::Arc,
};

use skep_api::proto::SnapshotChunk;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use crate::{core::Core, failure::Failure};

const CHUNK_BYTES: usize = 256 << 10;

/// Pieces that may wait for a slow reader.
const CHUNKS_MAX: usize = 4;

type Piece = Result<SnapshotChunk, Status>;

/// Writes the state at the pace at which the client takes it.
pub(super) fn stream(core: &Arc<Core>) -> ReceiverStream<Piece> {
    let (out, pieces) = mpsc::channel(CHUNKS_MAX);
    let store = core.store.clone();
    let failed = out.clone();
    tokio::spawn(async move {
        let buffer = Vec::with_capacity(CHUNK_BYTES);
        if let Err(error) = store.export(Pieces { buffer, out }).await {
            // A client that went away asks for no reason.
            drop(
                failed
                    .send(Err(Failure::Internal(error.to_string()).into()))
                    .await,
            );
        }
    });
    ReceiverStream::new(pieces)
}

struct Pieces {
    buffer: Vec<u8>,
    out: mpsc::Sender<Piece>,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(CHUNK_BYTES - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..taken]);
        if self.buffer.len() == CHUNK_BYTES {
            self.flush()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let data = std::mem::replace(&mut self.buffer, Vec::with_capacity(CHUNK_BYTES));
        let gone = |_| io::Error::new(io::ErrorKind::BrokenPipe, "the client is gone");
        self.out.blocking_send(Ok(SnapshotChunk { data })).map_err(gone)
    }
}
