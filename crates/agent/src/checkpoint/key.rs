//! The node's own key for what rests on its disk: a file of mode 0600.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use super::error::CheckpointError;

pub(super) const KEY_BYTES: usize = 32;

/// A key for [`super::cipher::Cipher`].
pub(super) type Key = [u8; KEY_BYTES];

/// The key in this file; `None` where there is no such file.
///
/// # Errors
/// Where it cannot be read, or holds something else.
pub(super) fn read(path: &Path) -> Result<Option<Key>, CheckpointError> {
    match fs::read(path) {
        Ok(bytes) => {
            let key = bytes.try_into();
            key.map(Some).map_err(|_| CheckpointError::Key(path.to_owned()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(CheckpointError::file(path)(error)),
    }
}

/// Puts a new key into this file; after a power cut there is the whole of it or none.
///
/// # Errors
/// Where the file cannot be written.
pub(super) fn make(path: &Path) -> Result<Key, CheckpointError> {
    let key: Key = rand::random();
    let draft = path.with_extension("key.new");
    let written = write(&draft, &key).and_then(|()| fs::rename(&draft, path));
    written.map_err(CheckpointError::file(path))?;
    sync_folder(path.parent().unwrap_or(Path::new("/")))?;
    Ok(key)
}

/// Makes names in a folder survive a power cut.
pub(super) fn sync_folder(folder: &Path) -> Result<(), CheckpointError> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(CheckpointError::file(folder))
}

fn write(draft: &Path, key: &Key) -> io::Result<()> {
    if draft.exists() {
        // One left behind may have another mode.
        fs::remove_file(draft)?;
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(draft)?;
    file.write_all(key)?;
    file.sync_all()
}
