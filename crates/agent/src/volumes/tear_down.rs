//! Removes what a pod had.

use std::{fs, io, path::Path};

use super::{VolumeError, tmpfs};

/// Unmounts and removes a pod's folder. As long as anything is mounted below it nothing is removed, so that neither a
/// host path nor another's file system is ever emptied through it.
pub(super) fn tear_down(dir: &Path) -> Result<(), VolumeError> {
    if fs::symlink_metadata(dir).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        return Ok(());
    }
    for point in tmpfs::mounts_below(dir)?.iter().rev() {
        tmpfs::unmount(point)?;
    }
    if let Some(point) = tmpfs::mounts_below(dir)?.first() {
        return Err(VolumeError::StillMounted(point.display().to_string()));
    }
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(VolumeError::io("remove", dir, &error)),
        _ => Ok(()),
    }
}
