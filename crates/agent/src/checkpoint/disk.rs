//! The checkpoint's files: the store, its key, and where a damaged store is put.

use std::{
    fs,
    io::ErrorKind,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use skep_trust::{KeyFile, Sealer, TrustError};

use super::{
    attempts::Attempts,
    error::CheckpointError,
    saved::Saved,
    store::{Changes, Opened, Store, sync_folder},
};

/// What stays free: a store that fills the disk would fail for good.
const FREE_BYTES_MIN: u64 = 16 << 20;

/// How often, and how long apart, a store that is still being closed is looked at.
const BUSY_ATTEMPTS: u32 = 500;
const BUSY_PAUSE: Duration = Duration::from_millis(20);

/// The checkpoint on the disk. Its calls block.
pub(crate) struct Disk {
    place: Place,
    store: Store,
}

#[derive(Clone, Debug)]
struct Place {
    data_dir: PathBuf,
}

impl Disk {
    /// The same as [`Disk::open`], once the store of an agent that has just ended in this process is closed: threads of
    /// sled's own do that. Blocks meanwhile, rather than to let time pass for all others: how long they take is up to the
    /// machine.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn open_once_closed(data_dir: &Path) -> Result<(Self, Saved), CheckpointError> {
        for _ in 1..BUSY_ATTEMPTS {
            match Self::open(data_dir) {
                Err(CheckpointError::Busy) => thread::park_timeout(BUSY_PAUSE),
                opened => return opened,
            }
        }
        Self::open(data_dir)
    }

    /// Opens the checkpoint in an agent's data folder and reads it. One that is damaged is set aside, and a new one begun with
    /// what can still be read.
    ///
    /// # Errors
    /// Where the disk does not let it: later it may.
    pub(crate) fn open(data_dir: &Path) -> Result<(Self, Saved), CheckpointError> {
        let place = Place {
            data_dir: data_dir.to_owned(),
        };
        let attempts = Attempts::new(place.data_dir.join("checkpoint.opening"));
        if !attempts.begin()? {
            place.set_aside("opening it has ended the agent before")?;
        }
        let opened = place.open();
        attempts.end();
        let opened = opened?;
        let saved = Saved::read(&opened.documents);
        Ok((
            Self {
                place,
                store: opened.store,
            },
            saved,
        ))
    }

    /// Writes what has changed; returns once the disk keeps it.
    pub(crate) fn write(&mut self, changes: &Changes) -> Result<(), CheckpointError> {
        let free = crate::node::disk(&self.place.data_dir).map(|disk| disk.available_bytes);
        if let Some(free) = free.filter(|free| *free < FREE_BYTES_MIN) {
            return Err(CheckpointError::DiskFull(free));
        }
        self.store.write(changes)
    }
}

impl Place {
    fn open(&self) -> Result<Opened, CheckpointError> {
        let sealer = self.sealer()?;
        let (folder, sealer_ref) = (self.store(), &sealer);
        // sled panics over some kinds of damage.
        let opened = catch_unwind(AssertUnwindSafe(|| Store::open(&folder, sealer_ref)));
        match opened.unwrap_or(Err(CheckpointError::GaveUp)) {
            Ok(opened) if opened.damage == 0 => Ok(opened),
            Ok(opened) => self.salvage(opened, &sealer),
            Err(error) if is_damage(&error) => {
                self.set_aside(&describe(&error))?;
                Store::open(&self.store(), &sealer)
            }
            Err(error) => Err(error),
        }
    }

    /// A new store with what can still be read of the old one.
    fn salvage(&self, opened: Opened, sealer: &Sealer) -> Result<Opened, CheckpointError> {
        let Opened {
            store,
            documents,
            damage,
        } = opened;
        drop(store);
        self.set_aside(&format!("{damage} values in it are not what they were"))?;
        let mut fresh = Store::open(&self.store(), sealer)?;
        let changes: Changes = documents
            .iter()
            .map(|(name, bytes)| (name.clone(), Some(bytes.clone())))
            .collect();
        fresh.store.write(&changes)?;
        fresh.documents = documents;
        Ok(fresh)
    }

    /// What seals. Without its key what is there cannot be read, and is set aside.
    fn sealer(&self) -> Result<Sealer, CheckpointError> {
        let path = self.data_dir.join("checkpoint.key");
        let why = match KeyFile::find(&path) {
            Ok(Some(file)) => {
                let keys = file.unlock(None).map_err(CheckpointError::Key)?;
                return Ok(keys.sealer());
            }
            Ok(None) => "its key is gone".to_owned(),
            Err(TrustError::File { source, .. }) if source.kind() == ErrorKind::InvalidData => {
                fs::remove_file(&path).map_err(CheckpointError::file(&path))?;
                format!("its key cannot be read: {source}")
            }
            Err(error) => return Err(CheckpointError::Key(error.into())),
        };
        if self.store().exists() {
            self.set_aside(&why)?;
        }
        let made = KeyFile::open(&path).map_err(|error| CheckpointError::Key(error.into()))?;
        made.unlock(None)
            .map(|keys| keys.sealer())
            .map_err(CheckpointError::Key)
    }

    fn set_aside(&self, why: &str) -> Result<(), CheckpointError> {
        let (store, aside) = (self.store(), self.data_dir.join("checkpoint.damaged"));
        tracing::warn!(
            why,
            "the checkpoint is set aside as {}; a new one begins",
            aside.display()
        );
        for result in [fs::remove_dir_all(&aside), fs::rename(&store, &aside)] {
            match result {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(CheckpointError::file(&aside)(error));
                }
                _ => {}
            }
        }
        sync_folder(&self.data_dir)
    }

    fn store(&self) -> PathBuf {
        self.data_dir.join("checkpoint")
    }
}

/// Whether another attempt would find the same.
fn is_damage(error: &CheckpointError) -> bool {
    match error {
        CheckpointError::Store(sled::Error::Io(error)) => {
            matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::InvalidData)
        }
        CheckpointError::Store(_) | CheckpointError::GaveUp => true,
        _ => false,
    }
}

fn describe(error: &CheckpointError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
