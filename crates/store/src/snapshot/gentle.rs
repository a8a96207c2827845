//! Writes a large file so that others who use the disk hardly notice.
//!
//! What was written goes to the disk slice by slice, with pauses: the log, which many wait for, never stands behind all of it.

use std::{
    fs::File,
    io::{self, Write},
    path::Path,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use crate::space;

/// What is put on the disk at once.
const SLICE_BYTES: usize = 4 * 1024 * 1024;

/// A slice is followed by a pause as long as it took to put on the disk, and no longer than this.
const PAUSE_MAX: Duration = Duration::from_millis(250);

/// What large files leave to others.
#[derive(Debug)]
pub(crate) struct Care {
    /// Bytes that are to stay free.
    pub(crate) reserve: u64,
    closing: AtomicBool,
}

impl Care {
    pub(crate) fn new(reserve: u64) -> Self {
        Self {
            reserve,
            closing: AtomicBool::new(false),
        }
    }

    /// Has files that are being written given up: nobody is to wait for them.
    pub(super) fn close(&self) {
        self.closing.store(true, Relaxed);
    }
}

/// Writes to a file as long as enough space stays free.
pub(super) struct Gentle<'a> {
    file: &'a mut File,
    dir: &'a Path,
    care: &'a Care,
    /// Bytes since the last slice.
    waiting: usize,
}

impl<'a> Gentle<'a> {
    /// `dir` is the folder of the file.
    pub(super) fn new(file: &'a mut File, dir: &'a Path, care: &'a Care) -> Self {
        Self {
            file,
            dir,
            care,
            waiting: 0,
        }
    }

    fn check(&self, bytes: usize) -> io::Result<()> {
        if self.care.closing.load(Relaxed) {
            return Err(io::Error::other("the store is being shut down"));
        }
        let reserve = self.care.reserve;
        match space::free_bytes(self.dir) {
            Some(free) if free < reserve + bytes as u64 => Err(io::Error::new(
                io::ErrorKind::StorageFull,
                format!(
                    "{} are free and {} are kept in reserve: free some space",
                    space::mib(free),
                    space::mib(reserve)
                ),
            )),
            _ => Ok(()),
        }
    }

    fn end_slice(&mut self) -> io::Result<()> {
        self.waiting = 0;
        let start = Instant::now();
        self.file.sync_data()?;
        thread::park_timeout(start.elapsed().min(PAUSE_MAX));
        Ok(())
    }
}

impl Write for Gentle<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.check(bytes.len())?;
        let written = self.file.write(bytes)?;
        self.waiting += written;
        if self.waiting >= SLICE_BYTES {
            self.end_slice()?;
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
