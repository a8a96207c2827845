//! Paths of the node that pods use.

use std::{
    fs::{self, Metadata, OpenOptions},
    io,
    os::unix::fs::FileTypeExt,
    path::Path,
};

use skep_api::{HostPathType, HostPathVolumeSource};

use super::VolumeError;

/// Sees to it that the path is what it has to be, and makes it where it may be made.
pub(super) fn check(source: &HostPathVolumeSource) -> Result<(), VolumeError> {
    let path = Path::new(&source.path);
    if !path.is_absolute() {
        return Err(VolumeError::Path(source.path.clone()));
    }
    let wanted = wanted(source.r#type);
    match fs::metadata(path) {
        Ok(meta) if is(&meta, source.r#type) => Ok(()),
        Ok(_) => Err(VolumeError::HostPath {
            path: source.path.clone(),
            wanted,
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => make(source, path, wanted),
        Err(error) => Err(VolumeError::io("look at", path, &error)),
    }
}

fn make(source: &HostPathVolumeSource, path: &Path, wanted: &'static str) -> Result<(), VolumeError> {
    let made = match source.r#type {
        HostPathType::Unset | HostPathType::DirectoryOrCreate => fs::create_dir_all(path),
        HostPathType::FileOrCreate => OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map(drop),
        _ => {
            return Err(VolumeError::HostPath {
                path: source.path.clone(),
                wanted,
            });
        }
    };
    made.map_err(|error| VolumeError::io("create", path, &error))
}

fn is(meta: &Metadata, wanted: HostPathType) -> bool {
    let kind = meta.file_type();
    match wanted {
        HostPathType::Unset => true,
        HostPathType::DirectoryOrCreate | HostPathType::Directory => kind.is_dir(),
        HostPathType::FileOrCreate | HostPathType::File => kind.is_file(),
        HostPathType::Socket => kind.is_socket(),
        HostPathType::CharDevice => kind.is_char_device(),
        HostPathType::BlockDevice => kind.is_block_device(),
    }
}

fn wanted(wanted: HostPathType) -> &'static str {
    match wanted {
        HostPathType::Unset => "path",
        HostPathType::DirectoryOrCreate | HostPathType::Directory => "directory",
        HostPathType::FileOrCreate | HostPathType::File => "file",
        HostPathType::Socket => "socket file",
        HostPathType::CharDevice => "character device",
        HostPathType::BlockDevice => "block device",
    }
}
