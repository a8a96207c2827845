//! The store's folder: who may use it, and whose it is.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{OpenError, StoreConfig};

const FORMAT: u32 = 1;

/// The folder, locked for this process until it is dropped.
#[derive(Debug)]
pub(crate) struct Folder {
    pub(crate) dir: PathBuf,
    pub(crate) identity: Identity,
    _lock: File,
}

/// Whose the folder is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Identity {
    format: u32,
    pub(crate) cluster_id: String,
    pub(crate) server_id: u64,
    /// False until the cluster exists: nothing that was written before was acknowledged.
    pub(crate) ready: bool,
}

impl Folder {
    /// Locks the folder, making it where it does not exist.
    pub(crate) fn open(config: &StoreConfig) -> Result<Self, OpenError> {
        let dir = config.dir.clone();
        fs::create_dir_all(&dir).map_err(io_at(&dir))?;
        let lock = lock(&dir)?;
        let identity = match read_identity(&dir)? {
            Some(identity) if identity.ready => identity,
            _ => begin(config)?,
        };
        if identity.server_id != config.server_id {
            let why = format!(
                "the folder belongs to server {}, not to server {}: use the folder of this server",
                identity.server_id, config.server_id
            );
            return Err(OpenError::Foreign {
                path: identity_path(&dir),
                why,
            });
        }
        Ok(Self {
            dir,
            identity,
            _lock: lock,
        })
    }

    /// Notes that the cluster exists: from now on the folder's contents count.
    pub(crate) fn set_ready(&mut self) -> Result<(), OpenError> {
        self.identity.ready = true;
        write_identity(&self.dir, &self.identity)
    }

    pub(crate) fn log_dir(&self) -> PathBuf {
        log_dir(&self.dir)
    }

    pub(crate) fn snapshot_dir(&self) -> PathBuf {
        snapshot_dir(&self.dir)
    }
}

/// Writes a file so that it is there either as it was or as it should be, whatever happens.
pub(crate) fn write_file(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let temporary = path.with_extension("tmp");
    let written = File::create(&temporary).and_then(|mut file| {
        write(&mut file)?;
        file.sync_all()
    });
    if let Err(error) = written {
        fs::remove_file(&temporary).ok();
        return Err(error);
    }
    fs::rename(&temporary, path)?;
    sync_dir(path.parent().unwrap_or(Path::new(".")))
}

pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Names the file that an I/O error is about.
pub(crate) fn io_at(path: &Path) -> impl FnOnce(io::Error) -> OpenError + use<> {
    let path = path.to_owned();
    move |source| OpenError::Io { path, source }
}

fn lock(dir: &Path) -> Result<File, OpenError> {
    let path = dir.join("LOCK");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(io_at(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked { dir: dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(OpenError::Io { path, source }),
    }
}

/// Starts a cluster of its own in a folder that holds nothing that counts.
fn begin(config: &StoreConfig) -> Result<Identity, OpenError> {
    let dir = &config.dir;
    if read_identity(dir)?.is_none() && (has_files(&log_dir(dir)) || has_files(&snapshot_dir(dir))) {
        let why = "is missing, yet the folder holds data: restore it from a backup, or use an empty folder";
        return Err(OpenError::Foreign {
            path: identity_path(dir),
            why: why.to_owned(),
        });
    }
    let identity = Identity {
        format: FORMAT,
        cluster_id: uuid::Uuid::new_v4().to_string(),
        server_id: config.server_id,
        ready: false,
    };
    write_identity(dir, &identity)?;
    for folder in [log_dir(dir), snapshot_dir(dir)] {
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(io_at(&folder))?;
        }
        fs::create_dir(&folder).map_err(io_at(&folder))?;
    }
    sync_dir(dir).map_err(io_at(dir))?;
    Ok(identity)
}

fn read_identity(dir: &Path) -> Result<Option<Identity>, OpenError> {
    let path = identity_path(dir);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(OpenError::Io { path, source }),
    };
    let foreign = |why: String| OpenError::Foreign {
        path: path.clone(),
        why,
    };
    let identity: Identity = serde_json::from_slice(&text)
        .map_err(|error| foreign(format!("is damaged ({error}): restore it from a backup")))?;
    if identity.format != FORMAT {
        let why = format!(
            "is of format {}, this version knows format {FORMAT} alone",
            identity.format
        );
        return Err(foreign(why));
    }
    Ok(Some(identity))
}

fn write_identity(dir: &Path, identity: &Identity) -> Result<(), OpenError> {
    let path = identity_path(dir);
    let text = serde_json::to_vec_pretty(identity).expect("an identity is plain data");
    write_file(&path, |file| file.write_all(&text)).map_err(io_at(&path))
}

fn has_files(dir: &Path) -> bool {
    fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some())
}

fn identity_path(dir: &Path) -> PathBuf {
    dir.join("identity.json")
}

fn log_dir(dir: &Path) -> PathBuf {
    dir.join("log")
}

fn snapshot_dir(dir: &Path) -> PathBuf {
    dir.join("snapshots")
}
