//! The store's folder: who may use it, and whose it is.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{OpenError, Start, StoreConfig};

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
    /// Empty until the cluster is known.
    pub(crate) cluster_id: String,
    pub(crate) server_id: u64,
    /// False until the cluster exists: nothing that was written before was acknowledged.
    pub(crate) ready: bool,
    /// A cluster that was recovered from a minority lives on under a new lineage: what is left of the others is not part
    /// of it. The cluster's id where it is empty.
    #[serde(default)]
    lineage: String,
    /// True for a server that was to join: it never makes a cluster of its own.
    #[serde(default)]
    pub(crate) joins: bool,
    /// Tells this folder from one that another time was made for the same server; 0 where an old version made it.
    #[serde(default)]
    pub(crate) mark: u64,
    /// The label of the key that everything here is sealed with; what is sealed with another one, or not at all, is left
    /// over from a change of keys. `None` where everything is in the clear.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) seal: Option<String>,
}

/// Which cluster a server, or a message, belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Origin {
    pub(crate) cluster_id: String,
    pub(crate) lineage: String,
}

impl Identity {
    /// The identity of a server of a cluster that exists.
    pub(crate) fn of(origin: Origin, server_id: u64) -> Self {
        Self {
            format: FORMAT,
            cluster_id: origin.cluster_id,
            server_id,
            ready: true,
            lineage: origin.lineage,
            joins: false,
            mark: uuid::Uuid::new_v4().as_u64_pair().0,
            seal: None,
        }
    }

    /// The same, sealed with the key of this label.
    pub(crate) fn sealed(self, seal: Option<String>) -> Self {
        Self { seal, ..self }
    }

    /// The same server, as part of this cluster.
    pub(crate) fn of_cluster(self, origin: Origin) -> Self {
        Self {
            joins: self.joins,
            mark: self.mark,
            seal: self.seal,
            ..Self::of(origin, self.server_id)
        }
    }

    /// `None` where this server has yet to join.
    pub(crate) fn origin(&self) -> Option<Origin> {
        let lineage = if self.lineage.is_empty() {
            &self.cluster_id
        } else {
            &self.lineage
        };
        (!self.cluster_id.is_empty()).then(|| Origin {
            cluster_id: self.cluster_id.clone(),
            lineage: lineage.clone(),
        })
    }
}

impl Origin {
    /// A cluster that did not exist before.
    pub(crate) fn new_cluster() -> Self {
        let cluster_id = uuid::Uuid::new_v4().to_string();
        Self {
            lineage: cluster_id.clone(),
            cluster_id,
        }
    }

    /// Of a server that has yet to join.
    fn unknown() -> Self {
        Self {
            cluster_id: String::new(),
            lineage: String::new(),
        }
    }

    /// The same cluster, without those that do not hear of it.
    pub(crate) fn new_lineage(self) -> Self {
        Self {
            lineage: uuid::Uuid::new_v4().to_string(),
            ..self
        }
    }
}

/// Whether a store's folder is of a server that is, or was, part of a cluster: what is in it counts. Blocks.
///
/// # Errors
/// Where the folder cannot be read, or is no store's.
pub fn is_in_use(dir: &Path) -> Result<bool, OpenError> {
    Ok(read_identity(dir)?.is_some_and(|identity| identity.ready))
}

impl Folder {
    /// Locks the folder, making it where it does not exist.
    pub(crate) fn open(config: &StoreConfig) -> Result<Self, OpenError> {
        let lock = make_and_lock(&config.dir)?;
        let identity = match read_identity(&config.dir)? {
            Some(identity) if identity.ready => identity,
            _ => begin(config)?,
        };
        Self::new(&config.dir, identity, config.member.id, lock)
    }

    /// Locks a folder that is in use.
    pub(crate) fn open_used(dir: &Path, server_id: u64) -> Result<Self, OpenError> {
        if !identity_path(dir).exists() {
            return Err(OpenError::Foreign {
                path: dir.to_owned(),
                why: "there is no store in it: name the data folder of a server".to_owned(),
            });
        }
        let lock = make_and_lock(dir)?;
        match read_identity(dir)? {
            Some(identity) if identity.ready => Self::new(dir, identity, server_id, lock),
            _ => Err(OpenError::Foreign {
                path: identity_path(dir),
                why: "the server has never been part of a cluster: there is nothing in its folder".to_owned(),
            }),
        }
    }

    /// Locks an empty folder, making it where it does not exist, and lays out what a store needs; what it is comes with
    /// [`Folder::set_identity`].
    pub(crate) fn create(dir: &Path, identity: Identity) -> Result<Self, OpenError> {
        let lock = make_and_lock(dir)?;
        if read_identity(dir)?.is_some() || has_files(&log_dir(dir)) || has_files(&snapshot_dir(dir)) {
            return Err(OpenError::Foreign {
                path: dir.to_owned(),
                why: "holds a store already: use an empty folder".to_owned(),
            });
        }
        lay_out(dir)?;
        let server_id = identity.server_id;
        Self::new(dir, identity, server_id, lock)
    }

    fn new(dir: &Path, identity: Identity, server_id: u64, lock: File) -> Result<Self, OpenError> {
        if identity.server_id != server_id {
            let why = format!(
                "the folder belongs to server {}, not to server {server_id}: use the folder of this server",
                identity.server_id
            );
            return Err(OpenError::Foreign {
                path: identity_path(dir),
                why,
            });
        }
        Ok(Self {
            dir: dir.to_owned(),
            identity,
            _lock: lock,
        })
    }

    /// Writes down whose the folder is.
    pub(crate) fn set_identity(&mut self, identity: Identity) -> Result<(), OpenError> {
        write_identity(&self.dir, &identity)?;
        self.identity = identity;
        Ok(())
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

    pub(crate) fn backup_dir(&self) -> PathBuf {
        backup_dir(&self.dir)
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

fn make_and_lock(dir: &Path) -> Result<File, OpenError> {
    fs::create_dir_all(dir).map_err(io_at(dir))?;
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

/// Begins anew in a folder that holds nothing that counts.
fn begin(config: &StoreConfig) -> Result<Identity, OpenError> {
    let dir = &config.dir;
    if read_identity(dir)?.is_none() && (has_files(&log_dir(dir)) || has_files(&snapshot_dir(dir))) {
        let why = "is missing, yet the folder holds data: restore it from a backup, or use an empty folder";
        return Err(OpenError::Foreign {
            path: identity_path(dir),
            why: why.to_owned(),
        });
    }
    let origin = match config.start {
        Start::Init => Origin::new_cluster(),
        Start::Join => Origin::unknown(),
    };
    let identity = Identity {
        ready: false,
        joins: config.start == Start::Join,
        seal: config.vault.as_ref().map(|vault| vault.label()),
        ..Identity::of(origin, config.member.id)
    };
    write_identity(dir, &identity)?;
    lay_out(dir)?;
    Ok(identity)
}

/// Makes the folders within, empty.
fn lay_out(dir: &Path) -> Result<(), OpenError> {
    for folder in [log_dir(dir), snapshot_dir(dir)] {
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(io_at(&folder))?;
        }
        fs::create_dir(&folder).map_err(io_at(&folder))?;
    }
    sync_dir(dir).map_err(io_at(dir))
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

pub(crate) fn backup_dir(dir: &Path) -> PathBuf {
    dir.join("backups")
}
