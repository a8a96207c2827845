//! Seals a folder that is sealed with another key, or not at all. It is done as the folder is opened, and can be
//! interrupted anywhere: until all is done, the folder's identity names the key of before.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::{
    OpenError, backups,
    folder::{self, Folder, io_at, sync_dir},
    log::{Log, open_log},
    snapshot::{self, SealedWriter},
    vault::Seal,
};

/// Makes sure that everything in the folder is sealed with the present key. Blocks.
///
/// # Errors
/// Where the folder is sealed and there is no key, or what is there cannot be opened or written.
pub(crate) fn reseal(folder: &mut Folder, seal: &Seal) -> Result<(), OpenError> {
    finish_log(folder)?;
    let label = seal.label();
    if folder.identity.seal == label {
        return Ok(());
    }
    if label.is_none() {
        return Err(OpenError::Sealed {
            path: folder.dir.clone(),
            why: "no key was given".to_owned(),
        });
    }
    let files = files(folder).map_err(io_at(&folder.dir))?;
    for path in &files {
        match reseal_file(path, seal) {
            // A backup is only ever a copy: one that nobody can open any more keeps no server from starting.
            Err(error) if path.starts_with(folder.backup_dir()) => {
                tracing::warn!(%error, "a backup is left as it is");
            }
            sealed => sealed?,
        }
    }
    reseal_log(folder, seal)?;
    let was_clear = folder.identity.seal.is_none();
    folder.set_identity(folder.identity.clone().sealed(label))?;
    tracing::info!(
        dir = %folder.dir.display(), files = files.len(), was_clear,
        "the log, the snapshots and the backups are sealed with the present key"
    );
    Ok(())
}

/// Snapshots and backups; what is unfinished goes.
fn files(folder: &Folder) -> io::Result<Vec<PathBuf>> {
    snapshot::remove_unfinished(&folder.snapshot_dir())?;
    let mut files = snapshot::list(&folder.snapshot_dir())?;
    let backups = folder.backup_dir();
    if backups.exists() {
        snapshot::remove_unfinished(&backups)?;
        files.extend(backups::list(&backups)?);
    }
    Ok(files)
}

pub(crate) fn reseal_file(path: &Path, seal: &Seal) -> Result<(), OpenError> {
    let mut clear =
        snapshot::open(path, &seal.or_clear()).map_err(|error| snapshot::read_failed(path, error))?;
    folder::write_file(path, |file| {
        let mut out = SealedWriter::new(file, seal)?;
        io::copy(&mut clear, &mut out)?;
        out.finish().map(drop)
    })
    .map_err(|error| snapshot::read_failed(path, error))
}

/// Writes the log anew beside the old one, and puts it in its place.
fn reseal_log(folder: &Folder, seal: &Seal) -> Result<(), OpenError> {
    let (dir, new) = (folder.log_dir(), new_dir(folder));
    let old_log = open_log(folder, &seal.or_clear())?;
    fs::create_dir(&new).map_err(io_at(&new))?;
    let copy = || {
        let new_log = Log::open(&new, seal.clone())?;
        let copied = old_log.copy_to(&new_log);
        new_log.close();
        copied?;
        sync_dir(&new)
    };
    let copied = copy().map_err(io_at(&new));
    old_log.close();
    copied?;
    fs::rename(&dir, old_dir(folder)).map_err(io_at(&dir))?;
    finish_log(folder)
}

/// Ends an exchange of logs that was begun. The new one is whole once the old one has made room for it.
fn finish_log(folder: &Folder) -> Result<(), OpenError> {
    let (dir, new, old) = (folder.log_dir(), new_dir(folder), old_dir(folder));
    let finish = || {
        if old.exists() && new.exists() && !dir.exists() {
            fs::rename(&new, &dir)?;
            sync_dir(&folder.dir)?;
        }
        for left in [&new, &old] {
            if left.exists() && dir.exists() {
                fs::remove_dir_all(left)?;
            }
        }
        Ok(())
    };
    finish().map_err(io_at(&dir))
}

fn new_dir(folder: &Folder) -> PathBuf {
    folder.dir.join("log.new")
}

fn old_dir(folder: &Folder) -> PathBuf {
    folder.dir.join("log.old")
}
