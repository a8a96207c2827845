//! What the machine is made of; read once.

use std::{fs, path::Path};

use nix::{
    sys::utsname::uname,
    unistd::{SysconfVar, sysconf},
};
use skep_api::{NodeSystemInfo, Quantity, ResourceList};

use super::{address, disk};
use crate::AgentConfig;

/// Where the firmware names the kind of machine, below the system's root.
const PRODUCT: &str = "sys/class/dmi/id/product_name";

/// What the machine is made of.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct MachineFacts {
    /// `cpu`, `memory`, `ephemeral-storage`, `pods`.
    pub(crate) capacity: ResourceList,
    /// Machine, kernel and distribution; the engine's version is added later.
    pub(crate) info: NodeSystemInfo,
    /// The machine's name.
    pub(crate) host_name: String,
    /// The kind of machine as its firmware names it, such as `t3.large` or `PowerEdge-R640`; empty where it does not.
    pub(crate) instance_type: String,
    /// The address of the interface that the default route leaves by; empty where there is none.
    pub(crate) address: String,
    /// Bytes of memory.
    pub(crate) memory_bytes: u64,
}

impl MachineFacts {
    /// Asks the system. What cannot be read stays empty.
    pub(crate) fn read(config: &AgentConfig) -> Self {
        let memory_bytes = super::gauges::memory().total_bytes;
        let storage = disk(&config.data_dir).map_or(0, |disk| disk.total_bytes);
        let bytes = |count: u64| Quantity::from_bytes(i64::try_from(count).unwrap_or(i64::MAX));
        let capacity = [
            ("cpu", Quantity::from_units(cpus())),
            ("memory", bytes(memory_bytes)),
            ("ephemeral-storage", bytes(storage)),
            ("pods", Quantity::from_units(i64::from(config.pods_max))),
        ];
        Self {
            capacity: capacity
                .into_iter()
                .map(|(name, amount)| (name.to_owned(), amount))
                .collect(),
            info: system_info(),
            host_name: crate::host_name(),
            instance_type: instance_type(&line(config.system_root.join(PRODUCT))),
            address: address::default_route(),
            memory_bytes,
        }
    }
}

/// What pods may ask for: the capacity without what is kept back, for the system and from eviction.
pub(crate) fn allocatable(capacity: &ResourceList, config: &AgentConfig) -> ResourceList {
    let mut reserved = config.system_reserved.clone();
    if let Some(cpus) = &config.reserved_cpus {
        let count = i64::try_from(cpus.len()).unwrap_or(i64::MAX);
        reserved.insert("cpu".to_owned(), Quantity::from_units(count));
    }
    for (name, amount) in config.eviction.kept_back(capacity) {
        *reserved.entry(name).or_default() += amount;
    }
    let left = |(name, amount): (&String, &Quantity)| {
        let rest = *amount - reserved.get(name).copied().unwrap_or_default();
        let rest = if rest.is_negative() {
            Quantity::default()
        } else {
            rest
        };
        (name.clone(), rest)
    };
    capacity.iter().map(left).collect()
}

/// As a label's value.
fn instance_type(product: &str) -> String {
    let kept = |c: char| {
        if c.is_ascii_alphanumeric() || matches!(c, '.' | '_') {
            c
        } else {
            '-'
        }
    };
    let name: String = product.chars().take(63).map(kept).collect();
    name.trim_matches(|c: char| !c.is_ascii_alphanumeric()).to_owned()
}

fn cpus() -> i64 {
    sysconf(SysconfVar::_NPROCESSORS_ONLN)
        .ok()
        .flatten()
        .unwrap_or(1)
        .max(1)
}

fn system_info() -> NodeSystemInfo {
    let kernel = uname()
        .ok()
        .map(|name| name.release().to_string_lossy().into_owned());
    let first = |paths: &[&str]| paths.iter().map(line).find(|text| !text.is_empty());
    NodeSystemInfo {
        machine_id: first(&["/etc/machine-id", "/var/lib/dbus/machine-id"]).unwrap_or_default(),
        system_uuid: line("/sys/class/dmi/id/product_uuid"),
        boot_id: line("/proc/sys/kernel/random/boot_id"),
        kernel_version: kernel.unwrap_or_default(),
        os_image: os_image(&fs::read_to_string("/etc/os-release").unwrap_or_default()),
        container_runtime_version: String::new(),
        kubelet_version: format!("v{}", env!("CARGO_PKG_VERSION")),
        operating_system: "linux".to_owned(),
        architecture: architecture(std::env::consts::ARCH).to_owned(),
    }
}

fn line(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path)
        .map(|text| text.trim().to_owned())
        .unwrap_or_default()
}

fn os_image(release: &str) -> String {
    let value = |key: &str| {
        let line = release
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        line.map(|text| text.trim_matches(['"', '\'']).to_owned())
    };
    value("PRETTY_NAME")
        .or_else(|| value("NAME"))
        .unwrap_or_else(|| "Linux".to_owned())
}

/// As images call it.
fn architecture(rust: &str) -> &str {
    match rust {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_back_is_not_allocatable_and_never_less_than_nothing() {
        let list = |cpu: i64, memory: i64| {
            ResourceList::from([
                ("cpu".to_owned(), Quantity::from_millis(cpu)),
                ("memory".to_owned(), Quantity::from_bytes(memory)),
            ])
        };
        let with = |cpu, memory| AgentConfig {
            system_reserved: list(cpu, memory),
            ..AgentConfig::default()
        };
        assert_eq!(
            allocatable(&list(2000, 1 << 30), &with(500, 24 << 20)),
            list(1500, 900 << 20)
        );
        assert_eq!(allocatable(&list(2000, 100), &with(2500, 0)), list(0, 0));
        let of_cpus = AgentConfig {
            reserved_cpus: Some([0, 5].into()),
            ..with(500, 0)
        };
        assert_eq!(allocatable(&list(4000, 1 << 30), &of_cpus)["cpu"].units(), 2);
    }

    #[test]
    fn disk_below_the_threshold_of_eviction_is_not_to_be_asked_for() {
        let capacity = ResourceList::from([("ephemeral-storage".to_owned(), Quantity::from_bytes(1000))]);
        assert_eq!(
            allocatable(&capacity, &AgentConfig::default())["ephemeral-storage"].units(),
            900
        );
    }

    #[test]
    fn the_kind_of_machine_is_a_labels_value() {
        for (product, label) in [
            ("t3.large", "t3.large"),
            ("PowerEdge R640 (rev. 2)", "PowerEdge-R640--rev.-2"),
            ("", ""),
            ("???", ""),
        ] {
            assert_eq!(instance_type(product), label);
            assert_eq!(skep_api::names::label_value(label), None);
        }
    }

    #[test]
    fn the_distribution_is_named_as_it_names_itself() {
        assert_eq!(
            os_image("NAME=x\nPRETTY_NAME=\"Debian GNU/Linux 12\"\n"),
            "Debian GNU/Linux 12"
        );
        assert_eq!(os_image(""), "Linux");
    }
}
