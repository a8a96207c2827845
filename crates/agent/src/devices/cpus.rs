//! Whether containers may have CPUs to themselves, and which.

use std::{collections::BTreeSet, fs, path::Path};

use skep_api::Quantity;

use super::pool::Cpu;
use crate::{AgentConfig, CpuManager};

/// Whether containers may have CPUs to themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CpuPolicy {
    /// All CPUs of the machine that run.
    all: Vec<Cpu>,
    /// Those that nobody has to himself; `None`: nobody has CPUs to himself at all.
    reserved: Option<BTreeSet<u32>>,
}

impl CpuPolicy {
    /// As it is set up.
    ///
    /// # Errors
    /// In words, where CPUs are reserved that are not there, or the system would have none.
    pub(crate) fn of(config: &AgentConfig) -> Result<Self, String> {
        let all = cpus_of(&config.system_root);
        let reserved = reserved(config, &all)?;
        match config.cpu_manager {
            CpuManager::None => Ok(Self::none(all)),
            CpuManager::Static if reserved.is_empty() => Err(
                "the CPU manager `static` leaves the system no CPU of its own: keep some back with --reserved-cpus, such as \
                 --reserved-cpus 0, or with --system-reserved, such as --system-reserved cpu=500m"
                    .to_owned(),
            ),
            CpuManager::Static => Ok(Self::whole(all, reserved)),
        }
    }

    /// Everybody runs everywhere.
    pub(crate) fn none(all: Vec<Cpu>) -> Self {
        Self { all, reserved: None }
    }

    /// Whole CPUs for whom they are promised to, but these.
    pub(crate) fn whole(all: Vec<Cpu>, reserved: BTreeSet<u32>) -> Self {
        Self {
            all,
            reserved: Some(reserved),
        }
    }

    /// CPUs that nobody has to himself; `None`: nobody has CPUs to himself at all.
    pub(super) fn kept(&self) -> Option<&BTreeSet<u32>> {
        self.reserved.as_ref()
    }

    pub(super) fn all(&self) -> &[Cpu] {
        &self.all
    }

    pub(super) fn all_ids(&self) -> Vec<String> {
        self.all.iter().map(|cpu| cpu.id.to_string()).collect()
    }
}

/// The CPUs named, else the first ones, as many as are kept back.
fn reserved(config: &AgentConfig, all: &[Cpu]) -> Result<BTreeSet<u32>, String> {
    let ids: BTreeSet<u32> = all.iter().map(|cpu| cpu.id).collect();
    if let Some(named) = &config.reserved_cpus {
        return match named.difference(&ids).next() {
            Some(unknown) => Err(format!(
                "cannot reserve CPU {unknown}: this machine has no such CPU"
            )),
            None => Ok(named.clone()),
        };
    }
    let kept_back = config.system_reserved.get("cpu").map_or(0, Quantity::millis);
    let count = usize::try_from(kept_back.max(0))
        .unwrap_or(usize::MAX)
        .div_ceil(1000);
    Ok(ids.into_iter().take(count).collect())
}

/// The CPUs that run, and where they are; `root` is the system's, `/`.
fn cpus_of(root: &Path) -> Vec<Cpu> {
    let dir = root.join("sys/devices/system/cpu");
    let online = fs::read_to_string(dir.join("online")).unwrap_or_default();
    let number = |id: u32, name: &str| {
        let path = dir.join(format!("cpu{id}/topology/{name}"));
        let text = fs::read_to_string(path).ok()?;
        text.trim().parse::<u32>().ok()
    };
    let cpu = |id: u32| Cpu {
        package: number(id, "physical_package_id").unwrap_or(0),
        // A machine that does not tell has cores of one CPU.
        core: number(id, "core_id").unwrap_or(id),
        id,
    };
    let ids = parse_cpu_list(online.trim()).unwrap_or_default();
    let mut cpus: Vec<Cpu> = ids.into_iter().map(cpu).collect();
    cpus.sort_unstable();
    cpus
}

/// CPU numbers out of a list such as `0-2,5`.
///
/// # Errors
/// In words, where it is no such list.
pub fn parse_cpu_list(text: &str) -> Result<BTreeSet<u32>, String> {
    /// More than any machine has.
    const CPU_MAX: u32 = 65_536;
    let wrong = || format!("`{text}` is no list of CPUs: write such as 0-2,5");
    let mut ids = BTreeSet::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let number = |text: &str| text.trim().parse::<u32>().ok().filter(|id| *id < CPU_MAX);
        let (first, last) = number(first).zip(number(last)).ok_or_else(wrong)?;
        if first > last {
            return Err(wrong());
        }
        ids.extend(first..=last);
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_cpus_are_read_as_the_kernel_writes_them() {
        assert_eq!(parse_cpu_list("0-2,5"), Ok(BTreeSet::from([0, 1, 2, 5])));
        for wrong in ["", "a", "3-1", "0,", "-1", "0-99999999"] {
            assert!(
                parse_cpu_list(wrong).unwrap_err().contains("write such as 0-2,5"),
                "{wrong}"
            );
        }
    }

    #[test]
    fn cpus_are_known_by_their_socket_and_core() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("sys/devices/system/cpu");
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("online"), "0-3\n").unwrap();
        for (id, core) in [(0, 0), (1, 1), (2, 0), (3, 1)] {
            let topology = dir.join(format!("cpu{id}/topology"));
            fs::create_dir_all(&topology).unwrap();
            fs::write(topology.join("physical_package_id"), "0\n").unwrap();
            fs::write(topology.join("core_id"), format!("{core}\n")).unwrap();
        }
        let found: Vec<(u32, u32)> = cpus_of(root.path())
            .iter()
            .map(|cpu| (cpu.core, cpu.id))
            .collect();
        assert_eq!(found, [(0, 0), (0, 2), (1, 1), (1, 3)]);
        assert!(!cpus_of(Path::new("/")).is_empty());
    }
}
