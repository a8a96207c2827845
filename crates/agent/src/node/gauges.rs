//! How much of memory, disk and process numbers is left. Cheap: a few small files of /proc.

use std::{fs, path::Path};

use nix::sys::statvfs::statvfs;

/// Memory in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    pub(crate) total_bytes: u64,
    pub(crate) available_bytes: u64,
}

/// A file system's space in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Disk {
    pub(crate) total_bytes: u64,
    /// Of use to ordinary users.
    pub(crate) available_bytes: u64,
    pub(crate) inodes: u64,
    /// Of use to ordinary users.
    pub(crate) inodes_free: u64,
}

impl Disk {
    /// The share in use, in percent, as `df` counts it.
    pub(crate) fn used_percent(&self) -> u8 {
        let used = u128::from(self.total_bytes.saturating_sub(self.available_bytes));
        u8::try_from(used * 100 / u128::from(self.total_bytes.max(1))).unwrap_or(100)
    }
}

/// Process numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pids {
    pub(crate) max: u64,
    pub(crate) used: u64,
}

pub(crate) fn memory() -> Memory {
    parse_memory(&fs::read_to_string("/proc/meminfo").unwrap_or_default())
}

pub(crate) fn pids() -> Pids {
    let max = |path: &str| {
        fs::read_to_string(path)
            .ok()
            .and_then(|text| text.trim().parse().ok())
    };
    let limits = [
        max("/proc/sys/kernel/pid_max"),
        max("/proc/sys/kernel/threads-max"),
    ];
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    Pids {
        max: limits.into_iter().flatten().min().unwrap_or(0),
        used: parse_threads(&load).unwrap_or(0),
    }
}

/// The file system that holds the path, or its nearest ancestor that is there.
pub(crate) fn disk(path: &Path) -> Option<Disk> {
    let found = path.ancestors().find_map(|path| statvfs(path).ok())?;
    let block = found.fragment_size();
    let reserved = found.blocks_free().saturating_sub(found.blocks_available());
    Some(Disk {
        total_bytes: block * found.blocks().saturating_sub(reserved),
        available_bytes: block * found.blocks_available(),
        inodes: found.files(),
        inodes_free: found.files_available(),
    })
}

fn parse_memory(text: &str) -> Memory {
    let bytes = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key))?;
        line.trim()
            .strip_suffix("kB")?
            .trim()
            .parse::<u64>()
            .ok()
            .map(|kib| kib * 1024)
    };
    Memory {
        total_bytes: bytes("MemTotal:").unwrap_or(0),
        available_bytes: bytes("MemAvailable:").unwrap_or(0),
    }
}

/// The number of threads out of `/proc/loadavg`.
fn parse_threads(load: &str) -> Option<u64> {
    load.split_whitespace().nth(3)?.split_once('/')?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meminfo_and_loadavg_are_read() {
        let text = "MemTotal:       2048 kB\nMemFree:         1 kB\nMemAvailable:    1024 kB\n";
        assert_eq!(
            parse_memory(text),
            Memory {
                total_bytes: 2 << 20,
                available_bytes: 1 << 20
            }
        );
        assert_eq!(parse_threads("0.00 0.01 0.05 1/321 12345\n"), Some(321));
    }

    #[test]
    fn this_machine_has_memory_and_disk() {
        assert!(memory().available_bytes > 0 && memory().total_bytes >= memory().available_bytes);
        let disk = disk(Path::new("/no/such/folder")).unwrap();
        assert!(disk.total_bytes >= disk.available_bytes && disk.used_percent() <= 100);
    }
}
