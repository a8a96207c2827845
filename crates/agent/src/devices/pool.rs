//! The pieces that a node has of one resource, and which ones to give next.

use std::collections::{BTreeMap, BTreeSet};

/// CPUs that a container has to itself go by this name.
pub(super) const CPU: &str = "cpu";

/// The pieces that a node has of one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Pool {
    /// Devices, in the order in which they are given.
    Devices(Vec<Device>),
    /// All CPUs of the machine, and those that nobody gets.
    Cpus(Vec<Cpu>, BTreeSet<u32>),
}

/// One device, or one share of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Device {
    pub(super) id: String,
    /// Its file; `None` for a GPU and for what has none.
    pub(super) path: Option<String>,
    /// It is not there now: nobody gets it.
    pub(super) missing: bool,
}

/// One CPU, and where it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cpu {
    /// The socket.
    pub(super) package: u32,
    /// The core, within its socket; CPUs of one core share it.
    pub(super) core: u32,
    /// The number that the kernel knows it by.
    pub(crate) id: u32,
}

impl Pool {
    /// How many there are, and how many of them can be given to somebody.
    pub(super) fn sizes(&self) -> (usize, usize) {
        match self {
            Self::Devices(devices) => {
                let there = devices.iter().filter(|device| !device.missing).count();
                (devices.len(), there)
            }
            Self::Cpus(cpus, kept) => {
                let own = cpus.iter().filter(|cpu| !kept.contains(&cpu.id)).count();
                (own, own)
            }
        }
    }

    /// How many can be given now.
    pub(super) fn free(&self, used: &BTreeSet<&str>) -> usize {
        match self {
            Self::Devices(devices) => devices.iter().filter(|device| device.is_free(used)).count(),
            Self::Cpus(cpus, kept) => cpus.iter().filter(|cpu| cpu.is_free(used, kept)).count(),
        }
    }

    /// So many that nobody uses; the same input gives the same ones. `None` where there are not enough.
    pub(super) fn pick(&self, used: &BTreeSet<&str>, count: usize) -> Option<Vec<String>> {
        let picked = match self {
            Self::Devices(devices) => pick_devices(devices, used, count),
            Self::Cpus(cpus, kept) => pick_cpus(cpus, used, kept, count),
        };
        (picked.len() == count).then_some(picked)
    }
}

impl Device {
    fn is_free(&self, used: &BTreeSet<&str>) -> bool {
        !self.missing && !used.contains(self.id.as_str())
    }
}

impl Cpu {
    fn is_free(self, used: &BTreeSet<&str>, kept: &BTreeSet<u32>) -> bool {
        !kept.contains(&self.id) && !used.contains(self.id.to_string().as_str())
    }
}

/// The device that an id is, or is a share of.
pub(super) fn whole(id: &str) -> &str {
    id.rsplit_once("::").map_or(id, |(whole, _)| whole)
}

/// Shares of the device that is shared the least come first.
fn pick_devices(devices: &[Device], used: &BTreeSet<&str>, count: usize) -> Vec<String> {
    let mut load: BTreeMap<&str, usize> = BTreeMap::new();
    for id in used {
        *load.entry(whole(id)).or_default() += 1;
    }
    let mut free: Vec<&Device> = devices.iter().filter(|device| device.is_free(used)).collect();
    let mut picked = Vec::with_capacity(count.min(free.len()));
    while picked.len() < count {
        let lightest = free
            .iter()
            .enumerate()
            .min_by_key(|(index, device)| (load.get(whole(&device.id)).copied().unwrap_or(0), *index));
        let Some((index, _)) = lightest else { break };
        let device = free.remove(index);
        *load.entry(whole(&device.id)).or_default() += 1;
        picked.push(device.id.clone());
    }
    picked
}

/// Whole sockets, then whole cores, then what is left of the cores that are used most: CPUs of one container lie together, and
/// cores are shared by as few containers as can be.
fn pick_cpus(cpus: &[Cpu], used: &BTreeSet<&str>, kept: &BTreeSet<u32>, count: usize) -> Vec<String> {
    let mut left: BTreeSet<Cpu> = cpus
        .iter()
        .copied()
        .filter(|cpu| cpu.is_free(used, kept))
        .collect();
    let all: BTreeSet<Cpu> = cpus.iter().copied().collect();
    let mut picked: Vec<Cpu> = Vec::new();
    let by_package = |cpu: &Cpu| (cpu.package, 0);
    let by_core = |cpu: &Cpu| (cpu.package, cpu.core);
    take_whole(&all, &mut left, &mut picked, count, by_package);
    take_whole(&all, &mut left, &mut picked, count, by_core);
    let mut rest: Vec<Cpu> = left.iter().copied().collect();
    let free_in =
        |cpu: &Cpu, key: fn(&Cpu) -> (u32, u32)| left.iter().filter(|other| key(other) == key(cpu)).count();
    rest.sort_by_key(|cpu| {
        (
            free_in(cpu, |cpu| (cpu.package, 0)),
            free_in(cpu, |cpu| (cpu.package, cpu.core)),
            *cpu,
        )
    });
    picked.extend(rest.into_iter().take(count - picked.len()));
    picked.sort_unstable();
    picked.iter().map(|cpu| cpu.id.to_string()).collect()
}

/// Moves whole groups that nobody has anything of, as long as no more than wanted is taken.
fn take_whole(
    all: &BTreeSet<Cpu>,
    left: &mut BTreeSet<Cpu>,
    picked: &mut Vec<Cpu>,
    count: usize,
    key: impl Fn(&Cpu) -> (u32, u32),
) {
    let groups: BTreeSet<(u32, u32)> = left.iter().map(&key).collect();
    for group in groups {
        let members: Vec<Cpu> = all.iter().copied().filter(|cpu| key(cpu) == group).collect();
        let is_free = members.iter().all(|cpu| left.contains(cpu));
        if is_free && picked.len() + members.len() <= count {
            left.retain(|cpu| !members.contains(cpu));
            picked.extend(members);
        }
    }
}

/// CPU numbers as the kernel writes lists of them, such as `0-2,5`.
pub(super) fn cpu_list<T: AsRef<str>>(ids: &[T]) -> String {
    let mut numbers: Vec<u32> = ids.iter().filter_map(|id| id.as_ref().parse().ok()).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    let written = ranges.into_iter().map(|(first, last)| {
        if first == last {
            first.to_string()
        } else {
            format!("{first}-{last}")
        }
    });
    written.collect::<Vec<_>>().join(",")
}
