//! Files that hold secrets: readable by their owner alone, and never half written.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use crate::TrustError;

/// Puts a file of mode 0600 in place of what is there; after a power cut it is the old one or the new one.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Result<(), TrustError> {
    let failed = |source| TrustError::File {
        path: path.to_owned(),
        source,
    };
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    let draft = Path::new(&draft);
    write_synced(draft, bytes).map_err(failed)?;
    fs::rename(draft, path).map_err(failed)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))
        .and_then(|folder| folder.sync_all())
        .map_err(failed)
}

fn write_synced(draft: &Path, bytes: &[u8]) -> io::Result<()> {
    // A draft left behind may have another mode.
    gone(fs::remove_file(draft))?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(draft)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Removes a file, where there is one.
pub(crate) fn remove(path: &Path) -> Result<(), TrustError> {
    gone(fs::remove_file(path)).map_err(|source| TrustError::File {
        path: path.to_owned(),
        source,
    })
}

fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// The file's bytes; `None` where there is no such file.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, TrustError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(TrustError::File {
            path: path.to_owned(),
            source,
        }),
    }
}

/// The file's text; `None` where there is no such file.
pub(crate) fn read_text(path: &Path) -> Result<Option<String>, TrustError> {
    let text = |bytes| {
        String::from_utf8(bytes).map_err(|error| TrustError::File {
            path: path.to_owned(),
            source: io::Error::new(io::ErrorKind::InvalidData, error),
        })
    };
    read(path)?.map(text).transpose()
}

/// Makes a folder of mode 0700 where there is none.
pub(crate) fn make_private_folder(path: &Path) -> Result<(), TrustError> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|source| TrustError::File {
            path: path.to_owned(),
            source,
        })
}
