//! Folders that live as long as their pod.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

use skep_api::{EmptyDirVolumeSource, StorageMedium, Volume};

use super::{VolumeError, ownership, tmpfs};

/// Every user may write.
const MODE: u32 = 0o777;
/// New files belong to the folder's group.
const SET_GID: u32 = 0o2000;
/// `st_blocks` counts in these.
const BLOCK_BYTES: u64 = 512;

pub(super) fn set_up(
    path: &Path,
    source: &EmptyDirVolumeSource,
    fs_group: Option<u32>,
) -> Result<(), VolumeError> {
    let fresh = !path.exists();
    super::make_dir(path)?;
    let fresh = match source.medium {
        StorageMedium::Disk => fresh,
        StorageMedium::Memory => {
            let size_bytes = source
                .size_limit
                .and_then(|limit| u64::try_from(limit.units()).ok());
            tmpfs::mount(
                path,
                &tmpfs::Options {
                    mode: MODE,
                    size_bytes: size_bytes.filter(|size| *size > 0),
                },
            )?
        }
    };
    if !fresh {
        // The containers' own by now.
        return Ok(());
    }
    ownership::give(path, fs_group)?;
    let mode = if fs_group.is_some() { MODE | SET_GID } else { MODE };
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .map_err(|error| VolumeError::io("open up", path, &error))
}

/// True for a folder on disk, not in memory.
pub(super) fn is_on_disk(volume: &Volume) -> bool {
    let source = volume.empty_dir.as_ref();
    source.is_some_and(|source| source.medium == StorageMedium::Disk)
}

/// Why the pod is to be evicted, where a folder on disk holds more than it may.
pub(super) fn exceeded(path: &Path, volume: &Volume) -> Result<Option<String>, VolumeError> {
    let Some(source) = volume
        .empty_dir
        .as_ref()
        .filter(|source| source.medium == StorageMedium::Disk)
    else {
        return Ok(None);
    };
    let Some(limit) = source.size_limit.filter(|limit| !limit.is_zero()) else {
        return Ok(None);
    };
    let used = usage(path).map_err(|error| VolumeError::io("measure", path, &error))?;
    let over = used > u64::try_from(limit.units()).unwrap_or(0);
    Ok(over.then(|| {
        format!(
            "Usage of EmptyDir volume {:?} exceeds the limit \"{limit}\".",
            volume.name
        )
    }))
}

/// Bytes on disk below a folder, without following symlinks. What vanishes meanwhile counts for nothing.
pub(super) fn usage(dir: &Path) -> io::Result<u64> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let mut bytes = 0;
    for entry in entries {
        let entry = entry?;
        match entry.metadata() {
            Ok(meta) if meta.is_dir() => bytes += usage(&entry.path())?,
            Ok(meta) => bytes += meta.blocks() * BLOCK_BYTES,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(bytes)
}
