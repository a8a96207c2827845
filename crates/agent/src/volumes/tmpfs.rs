//! Folders in memory, and what is mounted at all.

use std::{
    ffi::OsString,
    fs,
    os::unix::{ffi::OsStringExt, fs::MetadataExt},
    path::{Path, PathBuf},
};

use nix::mount::{MntFlags, MsFlags, mount as mount_at, umount2};

use super::VolumeError;

pub(super) struct Options {
    /// Permission bits of the folder.
    pub(super) mode: u32,
    /// How much it may hold; half of the node's memory where not stated.
    pub(super) size_bytes: Option<u64>,
}

/// Puts a file system in memory on a folder. False where there is one already.
pub(super) fn mount(path: &Path, options: &Options) -> Result<bool, VolumeError> {
    if is_mounted(path)? {
        return Ok(false);
    }
    let mut data = format!("mode={:o}", options.mode);
    if let Some(size) = options.size_bytes {
        data.push_str(&format!(",size={size}"));
    }
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount_at(Some("tmpfs"), path, Some("tmpfs"), flags, Some(data.as_str()))
        .map_err(|error| VolumeError::errno("mount memory on", path, error))?;
    Ok(true)
}

/// Takes a mount away, also while it is in use.
pub(super) fn unmount(path: &Path) -> Result<(), VolumeError> {
    match umount2(path, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW) {
        // Not mounted any more, or gone.
        Ok(()) | Err(nix::errno::Errno::EINVAL | nix::errno::Errno::ENOENT) => Ok(()),
        Err(error) => Err(VolumeError::errno("unmount", path, error)),
    }
}

/// What is mounted at or below a path, in the order of mounting.
pub(super) fn mounts_below(path: &Path) -> Result<Vec<PathBuf>, VolumeError> {
    let table = Path::new("/proc/self/mountinfo");
    let text = fs::read(table).map_err(|error| VolumeError::io("read", table, &error))?;
    // The kernel knows paths without symlinks.
    let path = fs::canonicalize(path).map_err(|error| VolumeError::io("look at", path, &error))?;
    let points = text
        .split(|byte| *byte == b'\n')
        .filter_map(|line| line.split(|byte| *byte == b' ').nth(4));
    Ok(points
        .map(unescape)
        .filter(|point| point.starts_with(&path))
        .collect())
}

fn is_mounted(path: &Path) -> Result<bool, VolumeError> {
    let device = |path: &Path| {
        fs::metadata(path)
            .map(|meta| meta.dev())
            .map_err(|error| VolumeError::io("look at", path, &error))
    };
    let parent = path.parent().expect("a volume lies below the pod's folder");
    Ok(device(path)? != device(parent)?)
}

/// The table writes blanks as `\040` and the like.
fn unescape(text: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, tail)) = rest.split_first() {
        let octal = tail.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) if first == b'\\' => {
                bytes.push(byte);
                rest = &tail[3..];
            }
            _ => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    PathBuf::from(OsString::from_vec(bytes))
}
