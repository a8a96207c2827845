//! Which namespaces a container is in, and what comes with the network's.

use skep_api::{Pod, Protocol};

use super::{ContainerKind, Inputs, SpecError, dns, holder::needs_holder};
use crate::runtime::{ContainerSpec, NetworkMode, PortMapping};

/// Longest host name the kernel takes.
const HOSTNAME_MAX: usize = 63;

/// Puts the container into its namespaces. What the owner of the network's decides for all (host name, name servers,
/// hosts, ports) is stated on the owner only: the engine refuses it elsewhere.
pub(super) fn apply(spec: &mut ContainerSpec, pod: &Pod, inputs: &Inputs<'_>) -> Result<(), SpecError> {
    spec.network = mode(pod, inputs)?;
    spec.ipc_mode = ipc_mode(pod, inputs);
    spec.pid_mode = pid_mode(pod, inputs);
    if matches!(spec.network, NetworkMode::Container(_)) {
        return Ok(());
    }
    spec.dns = dns::for_pod(pod, inputs.dns);
    spec.extra_hosts = extra_hosts(pod);
    if matches!(spec.network, NetworkMode::Bridge { .. }) {
        spec.hostname = hostname(pod);
        if inputs.kind != ContainerKind::Init {
            spec.ports = ports(pod);
        }
    }
    Ok(())
}

/// True for a container that joins the holder's namespaces.
pub(super) fn joins(pod: &Pod, inputs: &Inputs<'_>) -> bool {
    needs_holder(pod) && inputs.kind != ContainerKind::Holder
}

fn mode(pod: &Pod, inputs: &Inputs<'_>) -> Result<NetworkMode, SpecError> {
    if pod.spec.host_network {
        return Ok(NetworkMode::Host);
    }
    if joins(pod, inputs) {
        return inputs
            .holder
            .map(|id| NetworkMode::Container(id.to_owned()))
            .ok_or(SpecError::NoHolder);
    }
    let address = inputs.address.ok_or(SpecError::NoAddress)?;
    Ok(NetworkMode::Bridge {
        network: inputs.network.to_owned(),
        address,
    })
}

fn ipc_mode(pod: &Pod, inputs: &Inputs<'_>) -> String {
    match inputs.holder {
        _ if pod.spec.host_ipc => "host".to_owned(),
        _ if inputs.kind == ContainerKind::Holder => "shareable".to_owned(),
        Some(id) if joins(pod, inputs) => format!("container:{id}"),
        _ => String::new(),
    }
}

fn pid_mode(pod: &Pod, inputs: &Inputs<'_>) -> String {
    match inputs.holder {
        _ if pod.spec.host_pid => "host".to_owned(),
        Some(id) if pod.spec.share_process_namespace && joins(pod, inputs) => format!("container:{id}"),
        _ => String::new(),
    }
}

fn hostname(pod: &Pod) -> String {
    let name = if pod.spec.hostname.is_empty() {
        &pod.metadata.name
    } else {
        &pod.spec.hostname
    };
    let cut: String = name.chars().take(HOSTNAME_MAX).collect();
    cut.trim_end_matches(['-', '.']).to_owned()
}

fn extra_hosts(pod: &Pod) -> Vec<String> {
    let aliases = pod.spec.host_aliases.iter();
    aliases
        .flat_map(|alias| {
            alias
                .hostnames
                .iter()
                .map(move |name| format!("{name}:{}", alias.ip))
        })
        .collect()
}

fn ports(pod: &Pod) -> Vec<PortMapping> {
    let ports = pod.spec.containers.iter().flat_map(|container| &container.ports);
    ports
        .filter_map(|port| {
            let host = u16::try_from(port.host_port).ok().filter(|host| *host != 0)?;
            Some(PortMapping {
                container: u16::try_from(port.container_port).ok()?,
                host,
                host_ip: port.host_ip.clone(),
                protocol: match port.protocol {
                    Protocol::Tcp => "tcp",
                    Protocol::Udp => "udp",
                    Protocol::Sctp => "sctp",
                },
            })
        })
        .collect()
}
