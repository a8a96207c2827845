//! Copies of folders: what a disk keeps when all else is lost.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Copies a folder with all that is in it; sockets are left out.
///
/// # Panics
/// Where something in it cannot be copied, or goes away meanwhile: then a thread still works on what is dead.
pub(crate) fn copy(from: &Path, to: &Path) {
    copy_all(from, to).unwrap_or_else(|(path, error)| panic!("{} cannot be copied: {error}", path.display()));
}

fn copy_all(from: &Path, to: &Path) -> Result<(), (PathBuf, io::Error)> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |error| (path, error)
    };
    fs::create_dir_all(to).map_err(at(to))?;
    for entry in fs::read_dir(from).map_err(at(from))? {
        let entry = entry.map_err(at(from))?;
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().map_err(at(&path))?;
        if kind.is_dir() {
            copy_all(&path, &to)?;
        } else if kind.is_file() {
            fs::copy(&path, to).map_err(at(&path))?;
        }
    }
    Ok(())
}
