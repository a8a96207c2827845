//! Containers as the engine wants them described.

use std::{collections::HashMap, net::Ipv4Addr};

use bollard::{
    Docker as Client,
    models::{
        ContainerCreateBody, DeviceMapping, DeviceRequest, EndpointIpamConfig, EndpointSettings, HostConfig,
        HostConfigLogConfig, Mount as EngineMount, MountBindOptions, MountBindOptionsPropagationEnum,
        MountType, NetworkingConfig, PortBinding,
    },
    query_parameters::CreateContainerOptionsBuilder,
};

use super::error;
use crate::runtime::{ContainerId, ContainerSpec, Mount, NetworkMode, PortMapping, RuntimeError};

/// The log is kept in this many files, so that there is some of it left when one is begun.
const LOG_FILES: u64 = 2;
/// Where a spec does not say.
const LOG_BYTES_MAX: u64 = 20 * 1024 * 1024;
const NANOS_PER_MILLI_CPU: i64 = 1_000_000;

/// Makes it, or finds the one of this name that carries the same labels.
pub(super) async fn create(client: &Client, spec: &ContainerSpec) -> Result<ContainerId, RuntimeError> {
    let options = CreateContainerOptionsBuilder::new().name(&spec.name).build();
    match client.create_container(Some(options), body(spec)).await {
        Ok(created) => Ok(created.id),
        Err(failure) if error::status(&failure) == Some(409) => find_same(client, spec, failure).await,
        Err(failure) => Err(error::from(failure)),
    }
}

async fn find_same(
    client: &Client,
    spec: &ContainerSpec,
    conflict: bollard::errors::Error,
) -> Result<ContainerId, RuntimeError> {
    let Ok(found) = client.inspect_container(&spec.name, None).await else {
        // It went away meanwhile, or the conflict was about something else.
        return Err(error::from(conflict));
    };
    let labels = found.config.and_then(|config| config.labels).unwrap_or_default();
    match found.id {
        Some(id)
            if spec
                .labels
                .iter()
                .all(|(name, value)| labels.get(name) == Some(value)) =>
        {
            Ok(id)
        }
        _ => Err(RuntimeError::Engine(format!(
            "{}; it is not this pod's: remove it",
            error::from(conflict)
        ))),
    }
}

fn body(spec: &ContainerSpec) -> ContainerCreateBody {
    ContainerCreateBody {
        hostname: text(&spec.hostname),
        user: text(&spec.user),
        tty: Some(spec.tty),
        open_stdin: Some(spec.stdin),
        stdin_once: Some(spec.stdin_once),
        env: list(&spec.env),
        cmd: list(&spec.command),
        image: Some(spec.image.clone()),
        working_dir: text(&spec.working_dir),
        entrypoint: list(&spec.entrypoint),
        exposed_ports: list(&spec.ports.iter().map(port_name).collect::<Vec<_>>()),
        labels: Some(spec.labels.clone().into_iter().collect()),
        host_config: Some(host_config(spec)),
        networking_config: networking_config(spec),
        ..ContainerCreateBody::default()
    }
}

fn host_config(spec: &ContainerSpec) -> HostConfig {
    let memory = Some(spec.memory_limit_bytes).filter(|bytes| *bytes > 0);
    HostConfig {
        cpu_shares: Some(spec.cpu_shares).filter(|shares| *shares > 0),
        nano_cpus: Some(spec.cpu_limit_millis.saturating_mul(NANOS_PER_MILLI_CPU)).filter(|cpus| *cpus > 0),
        memory,
        // As much with swap as without: a limit that spills onto the disk is none.
        memory_swap: memory,
        oom_score_adj: Some(spec.oom_score_adj),
        log_config: Some(log_config(spec.log_bytes_max)),
        network_mode: Some(network_mode(&spec.network)),
        port_bindings: (!spec.ports.is_empty()).then(|| port_bindings(&spec.ports)),
        mounts: list(&spec.mounts).map(|mounts| mounts.iter().map(mount).collect()),
        devices: list(&spec.devices).map(|paths| paths.iter().map(|path| device(path)).collect()),
        device_requests: list(&spec.gpus).map(|ids| vec![gpus(ids)]),
        cpuset_cpus: text(&spec.cpus),
        cap_add: list(&spec.cap_add),
        cap_drop: list(&spec.cap_drop),
        dns: list(&spec.dns.0),
        dns_search: list(&spec.dns.1),
        dns_options: list(&spec.dns.2),
        extra_hosts: list(&spec.extra_hosts),
        group_add: list(&spec.groups).map(|groups| groups.iter().map(ToString::to_string).collect()),
        ipc_mode: text(&spec.ipc_mode),
        pid_mode: text(&spec.pid_mode),
        privileged: Some(spec.privileged),
        readonly_rootfs: Some(spec.read_only_root),
        security_opt: list(&spec.security_opt),
        sysctls: (!spec.sysctls.is_empty()).then(|| spec.sysctls.clone().into_iter().collect()),
        ..HostConfig::default()
    }
}

fn log_config(bytes_max: u64) -> HostConfigLogConfig {
    let bytes_max = if bytes_max == 0 { LOG_BYTES_MAX } else { bytes_max };
    let config = HashMap::from([
        ("max-size".to_owned(), (bytes_max / LOG_FILES).max(1).to_string()),
        ("max-file".to_owned(), LOG_FILES.to_string()),
    ]);
    HostConfigLogConfig {
        typ: Some("json-file".to_owned()),
        config: Some(config),
    }
}

fn network_mode(mode: &NetworkMode) -> String {
    match mode {
        NetworkMode::None => "none".to_owned(),
        NetworkMode::Host => "host".to_owned(),
        NetworkMode::Bridge { network, .. } => network.clone(),
        NetworkMode::Container(id) => format!("container:{id}"),
    }
}

fn networking_config(spec: &ContainerSpec) -> Option<NetworkingConfig> {
    let NetworkMode::Bridge { network, address } = &spec.network else {
        return None;
    };
    let endpoints = HashMap::from([(network.clone(), endpoint(*address))]);
    Some(NetworkingConfig {
        endpoints_config: Some(endpoints),
    })
}

fn endpoint(address: Ipv4Addr) -> EndpointSettings {
    let ipam = EndpointIpamConfig {
        ipv4_address: Some(address.to_string()),
        ..EndpointIpamConfig::default()
    };
    EndpointSettings {
        ipam_config: Some(ipam),
        ..EndpointSettings::default()
    }
}

fn port_name(port: &PortMapping) -> String {
    format!("{}/{}", port.container, port.protocol)
}

fn port_bindings(ports: &[PortMapping]) -> HashMap<String, Option<Vec<PortBinding>>> {
    let mut bindings: HashMap<String, Option<Vec<PortBinding>>> = HashMap::new();
    for port in ports {
        let binding = PortBinding {
            host_ip: text(&port.host_ip),
            host_port: Some(port.host.to_string()),
        };
        bindings
            .entry(port_name(port))
            .or_default()
            .get_or_insert_default()
            .push(binding);
    }
    bindings
}

fn mount(mount: &Mount) -> EngineMount {
    let propagation = match mount.propagation {
        "rshared" => MountBindOptionsPropagationEnum::RSHARED,
        "rslave" => MountBindOptionsPropagationEnum::RSLAVE,
        _ => MountBindOptionsPropagationEnum::RPRIVATE,
    };
    EngineMount {
        target: Some(mount.target.clone()),
        source: Some(mount.source.display().to_string()),
        typ: Some(MountType::BIND),
        read_only: Some(mount.read_only),
        bind_options: Some(MountBindOptions {
            propagation: Some(propagation),
            ..MountBindOptions::default()
        }),
        ..EngineMount::default()
    }
}

fn device(path: &str) -> DeviceMapping {
    DeviceMapping {
        path_on_host: Some(path.to_owned()),
        path_in_container: Some(path.to_owned()),
        cgroup_permissions: Some("rwm".to_owned()),
    }
}

/// As `docker run --gpus device=…` asks for them.
fn gpus(ids: Vec<String>) -> DeviceRequest {
    DeviceRequest {
        device_ids: Some(ids),
        capabilities: Some(vec![vec!["gpu".to_owned()]]),
        ..DeviceRequest::default()
    }
}

/// Nothing stated leaves it to the engine.
fn text(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn list<T: Clone>(list: &[T]) -> Option<Vec<T>> {
    (!list.is_empty()).then(|| list.to_vec())
}
