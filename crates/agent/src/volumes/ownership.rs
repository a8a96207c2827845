//! Which group owns a volume's files.

use std::{os::unix::fs::chown, path::Path};

use skep_api::Pod;

use super::VolumeError;

/// The group that owns the pod's volumes, if any.
pub(super) fn fs_group(pod: &Pod) -> Option<u32> {
    let group = pod.spec.security_context.as_ref()?.fs_group?;
    u32::try_from(group).ok()
}

/// Permission bits of a file that the group may read.
pub(super) fn file_mode(mode: u32, fs_group: Option<u32>) -> u32 {
    if fs_group.is_some() { mode | 0o440 } else { mode }
}

/// Gives a file or folder to the group.
pub(super) fn give(path: &Path, fs_group: Option<u32>) -> Result<(), VolumeError> {
    let Some(group) = fs_group else { return Ok(()) };
    chown(path, None, Some(group)).map_err(|error| VolumeError::io("give a group to", path, &error))
}
