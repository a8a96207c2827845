//! Keeps a reserve of disk space, so that a full disk refuses writes instead of breaking the log.

use std::path::Path;

use nix::sys::statvfs::statvfs;

/// Bytes that an unprivileged process may still write on the folder's file system; `None` where it cannot tell.
pub(crate) fn free_bytes(dir: &Path) -> Option<u64> {
    let stat = statvfs(dir).ok()?;
    Some(stat.blocks_available() * stat.fragment_size())
}
