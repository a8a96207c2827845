//! Devices as the command line declares them.

use std::str::FromStr;

use skep_api::names;

/// Devices of one resource at most.
const COUNT_MAX: usize = 1024;

/// Names that no declaration may use: they are the system's.
const RESERVED_DOMAINS: [&str; 2] = ["kubernetes.io", "k8s.io"];

/// Devices of one name: written `NAME=PATH[,PATH…]` or `NAME=COUNT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceDeclaration {
    /// The resource that pods ask for, such as `example.com/serial`.
    pub resource: String,
    /// The devices.
    pub devices: Declared,
}

/// What is declared under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Declared {
    /// Device files, or folders of them, each with how many containers may have it at the same time.
    Paths(Vec<(String, u32)>),
    /// So many of something without a file, such as licences.
    Count(u32),
}

/// Which GPUs the node offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GpuConfig {
    /// The ids, by which the engine knows them; `None`: those that are found.
    pub declared: Option<Vec<String>>,
    /// How many containers share one, in turns; 1: nobody shares.
    pub shares: u32,
}

impl Default for GpuConfig {
    fn default() -> Self {
        Self {
            declared: None,
            shares: 1,
        }
    }
}

impl FromStr for DeviceDeclaration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (resource, devices) = text
            .split_once('=')
            .ok_or("write NAME=PATH[,PATH...] or NAME=COUNT, such as example.com/serial=/dev/ttyS0")?;
        check_name(resource)?;
        let devices = match devices.parse::<u32>() {
            Ok(0) => return Err("a count of 0 declares nothing".to_owned()),
            Ok(count) => Declared::Count(count),
            Err(_) => Declared::Paths(devices.split(',').map(path).collect::<Result<_, _>>()?),
        };
        let declared = Self {
            resource: resource.to_owned(),
            devices,
        };
        let count = declared.ids().len();
        if count > COUNT_MAX {
            return Err(format!("declares {count} devices, {COUNT_MAX} are allowed"));
        }
        declared.check_twice()?;
        Ok(declared)
    }
}

impl DeviceDeclaration {
    /// The devices' ids, each with the path that it is; a device that several may have goes by `PATH::NUMBER`.
    pub(super) fn ids(&self) -> Vec<(String, Option<String>)> {
        match &self.devices {
            Declared::Count(count) => (0..(*count).min(u32::try_from(COUNT_MAX).unwrap_or(u32::MAX) + 1))
                .map(|number| (number.to_string(), None))
                .collect(),
            Declared::Paths(paths) => paths
                .iter()
                .flat_map(|(path, shares)| shared_ids(path, *shares).map(|id| (id, Some(path.clone()))))
                .take(COUNT_MAX + 1)
                .collect(),
        }
    }

    fn check_twice(&self) -> Result<(), String> {
        let Declared::Paths(paths) = &self.devices else {
            return Ok(());
        };
        for (index, (path, _)) in paths.iter().enumerate() {
            if paths[..index].iter().any(|(other, _)| other == path) {
                return Err(format!(
                    "{path} is named twice: for several containers at a time write {path}*2"
                ));
            }
        }
        Ok(())
    }
}

/// Ids of a device that so many may have at the same time: its own where it is one.
pub(super) fn shared_ids(id: &str, shares: u32) -> impl Iterator<Item = String> {
    let id = id.to_owned();
    (0..shares.max(1)).map(move |number| {
        if shares > 1 {
            format!("{id}::{number}")
        } else {
            id.clone()
        }
    })
}

fn check_name(name: &str) -> Result<(), String> {
    if let Some(problem) = names::qualified_name(name) {
        return Err(format!("`{name}` {problem}"));
    }
    let Some((domain, _)) = name.split_once('/') else {
        return Err(format!(
            "`{name}` has no domain: write such as example.com/{name}"
        ));
    };
    if name == super::GPU {
        return Err("GPUs are declared with --gpu or --gpus".to_owned());
    }
    let reserved = RESERVED_DOMAINS
        .iter()
        .any(|reserved| domain == *reserved || domain.ends_with(&format!(".{reserved}")));
    if reserved {
        return Err(format!(
            "the domain {domain} is the system's: use one of your own"
        ));
    }
    Ok(())
}

/// `/dev/x` or `/dev/x*COUNT`.
fn path(text: &str) -> Result<(String, u32), String> {
    let (path, shares) = match text.rsplit_once('*') {
        None => (text, 1),
        Some((path, count)) => match count.parse() {
            Ok(count) if count > 0 => (path, count),
            _ => return Err(format!("`{text}` ends with no count: write such as /dev/kvm*10")),
        },
    };
    if !path.starts_with('/') {
        return Err(format!("`{path}` is neither a path from the root nor a count"));
    }
    Ok((path.to_owned(), shares))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(text: &str) -> Result<Vec<String>, String> {
        let declared: DeviceDeclaration = text.parse()?;
        Ok(declared.ids().into_iter().map(|(id, _)| id).collect())
    }

    #[test]
    fn each_path_is_one_device_and_a_starred_one_is_several() {
        let found = ids("example.com/serial=/dev/ttyS0,/dev/ttyS1").unwrap();
        assert_eq!(found, ["/dev/ttyS0", "/dev/ttyS1"]);
        let found = ids("example.com/kvm=/dev/kvm*2").unwrap();
        assert_eq!(found, ["/dev/kvm::0", "/dev/kvm::1"]);
        assert_eq!(ids("example.com/licence=3").unwrap(), ["0", "1", "2"]);
    }

    #[test]
    fn what_makes_no_sense_says_what_would() {
        for (text, part) in [
            ("serial=/dev/ttyS0", "example.com/serial"),
            ("example.com/serial", "NAME=PATH"),
            ("example.com/serial=ttyS0", "neither a path"),
            ("example.com/serial=0", "declares nothing"),
            ("example.com/serial=/dev/a,/dev/a", "named twice"),
            ("example.com/serial=/dev/a*", "no count"),
            ("example.com/serial=9999", "1024 are allowed"),
            ("example.com/serial=/dev/a*4294967295", "1024 are allowed"),
            ("nvidia.com/gpu=/dev/nvidia0", "--gpu"),
            ("node.kubernetes.io/x=1", "the system's"),
            ("Example.com/x=1", "lower-case"),
        ] {
            let error = ids(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
