//! Documents in a sled store. sled alone never asks the disk to keep what it wrote; a write here returns when it is kept.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::Path,
};

use sha2::{Digest, Sha256};
use skep_trust::Sealer;

use super::{
    error::CheckpointError,
    parts::{self, Joiner},
};

/// What sled keeps in memory: everything here is read once.
const CACHE_BYTES: u64 = 1 << 20;

/// Documents by name; `None` for one to be removed.
pub(super) type Changes = BTreeMap<String, Option<Vec<u8>>>;

/// Documents in a sled store.
pub(super) struct Store {
    db: sled::Db,
    /// sled's file, to have the disk keep it.
    file: File,
    sealer: Sealer,
    known: BTreeMap<String, Known>,
}

/// A document that is on the disk.
#[derive(Clone, Copy)]
struct Known {
    digest: [u8; 32],
    parts: u16,
}

/// A store, and what was in it.
pub(super) struct Opened {
    pub(super) store: Store,
    pub(super) documents: BTreeMap<String, Vec<u8>>,
    /// Values and documents that are not what they were.
    pub(super) damage: usize,
}

impl Store {
    /// Opens the store in this folder, or makes one, and reads all of it.
    pub(super) fn open(folder: &Path, sealer: &Sealer) -> Result<Opened, CheckpointError> {
        let is_new = !folder.exists();
        fs::create_dir_all(folder).map_err(CheckpointError::file(folder))?;
        let db = sled::Config::new()
            .path(folder)
            .cache_capacity(CACHE_BYTES)
            .flush_every_ms(None)
            .open()?;
        let path = folder.join("db");
        let file = File::open(&path).map_err(CheckpointError::file(&path))?;
        if is_new {
            file.sync_all().map_err(CheckpointError::file(&path))?;
            sync_folder(folder)?;
            sync_folder(folder.parent().unwrap_or(Path::new("/")))?;
        }
        let mut joiner = Joiner::default();
        for pair in db.iter() {
            let (key, value) = pair?;
            joiner.add(sealer, &key, &value);
        }
        let joined = joiner.finish();
        let known = joined
            .documents
            .iter()
            .map(|(name, (bytes, parts))| (name.clone(), Known::of(bytes, *parts)))
            .collect();
        let documents = joined
            .documents
            .into_iter()
            .map(|(name, (bytes, _))| (name, bytes));
        Ok(Opened {
            damage: joined.damage,
            documents: documents.collect(),
            store: Self {
                db,
                file,
                sealer: sealer.clone(),
                known,
            },
        })
    }

    /// Writes what has changed and returns once the disk keeps it. Each document is there as a whole or as it was.
    pub(super) fn write(&mut self, changes: &Changes) -> Result<(), CheckpointError> {
        let mut is_clean = true;
        for (name, document) in changes {
            is_clean &= !match document {
                Some(bytes) => self.put(name, bytes)?,
                None => self.remove(name)?,
            };
        }
        if !is_clean {
            self.db.flush()?;
            let path = Path::new("db");
            self.file.sync_data().map_err(CheckpointError::file(path))?;
        }
        Ok(())
    }

    /// False where it is there already.
    fn put(&mut self, name: &str, bytes: &[u8]) -> Result<bool, CheckpointError> {
        let before = self.known.get(name).copied();
        if before.is_some_and(|known| known.digest == digest(bytes)) {
            return Ok(false);
        }
        let Some(values) = parts::split(&self.sealer, name, bytes) else {
            tracing::error!(name, bytes = bytes.len(), "too large for the checkpoint");
            return self.remove(name);
        };
        let mut batch = sled::Batch::default();
        let count = u16::try_from(values.len()).expect("no document is split into more parts");
        for (index, value) in (0..count).zip(values) {
            batch.insert(parts::key(name, index), value);
        }
        for index in count..before.map_or(0, |known| known.parts) {
            batch.remove(parts::key(name, index));
        }
        self.db.apply_batch(batch)?;
        self.known.insert(name.to_owned(), Known::of(bytes, count));
        Ok(true)
    }

    /// False where it is not there.
    fn remove(&mut self, name: &str) -> Result<bool, CheckpointError> {
        let Some(known) = self.known.remove(name) else {
            return Ok(false);
        };
        let mut batch = sled::Batch::default();
        for index in 0..known.parts {
            batch.remove(parts::key(name, index));
        }
        self.db.apply_batch(batch)?;
        Ok(true)
    }
}

impl Known {
    fn of(bytes: &[u8], parts: u16) -> Self {
        Self {
            digest: digest(bytes),
            parts,
        }
    }
}

/// Makes names in a folder survive a power cut.
pub(super) fn sync_folder(folder: &Path) -> Result<(), CheckpointError> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(CheckpointError::file(folder))
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}
