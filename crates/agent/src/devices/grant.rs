//! What one container is given, in the engine's terms.

use super::{
    GPU,
    ids::{Ids, PodDevices},
    pool::{CPU, cpu_list, whole},
};
use crate::spec::Grant;

/// Prefix of the variables that tell a container what it has.
const VARIABLE: &str = "SKEP_DEVICE_";

/// What a container is given. `path` finds the file of a device; `shared_cpus` are those of containers without CPUs of their own,
/// empty: any.
pub(super) fn grant(
    devices: Option<&PodDevices>,
    container: &str,
    path: impl Fn(&str, &str) -> Option<String>,
    shared_cpus: &str,
) -> Grant {
    let nothing = Ids::new();
    let ids = devices
        .and_then(|devices| devices.of(container))
        .unwrap_or(&nothing);
    let mut grant = Grant {
        cpus: shared_cpus.to_owned(),
        label: devices.map(PodDevices::to_label).unwrap_or_default(),
        ..Grant::default()
    };
    for (resource, ids) in ids {
        match resource.as_str() {
            CPU => {
                grant.cpus = cpu_list(ids);
                grant.own_cpus = true;
                continue;
            }
            GPU => grant.gpus = once(ids.iter().map(|id| whole(id).to_owned())),
            _ => grant
                .paths
                .extend(once(ids.iter().filter_map(|id| path(resource, id)))),
        }
        let told = once(ids.iter().map(|id| whole(id).to_owned()));
        grant.env.push((variable(resource), told.join(",")));
    }
    grant
}

/// Each once: a container with two shares of one device has that device.
fn once(ids: impl Iterator<Item = String>) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for id in ids {
        if !all.contains(&id) {
            all.push(id);
        }
    }
    all
}

/// `SKEP_DEVICE_EXAMPLE_COM_SERIAL` for `example.com/serial`.
fn variable(resource: &str) -> String {
    let name = resource.chars().map(|c| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_uppercase()
        } else {
            '_'
        }
    });
    format!("{VARIABLE}{}", name.collect::<String>())
}
