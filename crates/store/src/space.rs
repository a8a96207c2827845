//! Keeps a reserve of disk space, so that a full disk refuses writes instead of breaking the log.

use std::path::Path;

use nix::sys::statvfs::statvfs;

/// Bytes in MiB for people, such as `24.0 MiB`.
pub(crate) fn mib(bytes: u64) -> String {
    let tenths = u128::from(bytes) * 10 / (1 << 20);
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}

/// Bytes that an unprivileged process may still write on the folder's file system; `None` where it cannot tell.
pub(crate) fn free_bytes(dir: &Path) -> Option<u64> {
    let stat = statvfs(dir).ok()?;
    Some(stat.blocks_available() * stat.fragment_size())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ProposeError;

    #[test]
    fn people_read_sizes_in_mebibytes() {
        let error = ProposeError::NoSpace {
            free: 25_153_536,
            needed: 32 << 20,
        };
        assert_eq!(
            error.to_string(),
            "the data folder has 23.9 MiB free and keeps 32.0 MiB in reserve: free some space and retry"
        );
        assert_eq!(mib(0), "0.0 MiB");
    }
}
