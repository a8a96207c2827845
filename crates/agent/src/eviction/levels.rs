//! How much is left of what the machine may run short of.

use std::{collections::BTreeMap, path::Path};

use super::Signal;
use crate::node::{self, Disk};

/// How much is left of one thing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Level {
    pub(super) available: u64,
    /// All there is; 0 where that is not known.
    pub(super) capacity: u64,
}

pub(super) type Levels = BTreeMap<Signal, Level>;

/// Measures now. `nodefs` is where the agent keeps volumes, `imagefs` where the engine keeps what it has; `None` while the engine
/// has not said where that is.
pub(super) fn measure(nodefs: &Path, imagefs: Option<&Path>) -> Levels {
    let memory = node::memory();
    let pids = node::pids();
    let mut levels = Levels::from([
        (
            Signal::MemoryAvailable,
            Level {
                available: memory.available_bytes,
                capacity: memory.total_bytes,
            },
        ),
        (
            Signal::PidAvailable,
            Level {
                available: pids.max.saturating_sub(pids.used),
                capacity: pids.max,
            },
        ),
    ]);
    let disks = [
        (Some(nodefs), Signal::NodefsAvailable, Signal::NodefsInodesFree),
        (imagefs, Signal::ImagefsAvailable, Signal::ImagefsInodesFree),
    ];
    for (path, bytes, inodes) in disks {
        if let Some(disk) = path.and_then(node::disk) {
            let [of_bytes, of_inodes] = levels_of(&disk);
            levels.insert(bytes, of_bytes);
            levels.insert(inodes, of_inodes);
        }
    }
    levels
}

fn levels_of(disk: &Disk) -> [Level; 2] {
    let bytes = Level {
        available: disk.available_bytes,
        capacity: disk.total_bytes,
    };
    let inodes = Level {
        available: disk.inodes_free,
        capacity: disk.inodes,
    };
    [bytes, inodes]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_something_of_everything() {
        let levels = measure(Path::new("/"), Some(Path::new("/no/such/folder")));
        for signal in [
            Signal::MemoryAvailable,
            Signal::NodefsAvailable,
            Signal::ImagefsAvailable,
            Signal::PidAvailable,
        ] {
            let level = levels[&signal];
            assert!(
                level.available > 0 && level.available <= level.capacity,
                "{signal}"
            );
        }
        assert!(!measure(Path::new("/"), None).contains_key(&Signal::ImagefsAvailable));
    }
}
