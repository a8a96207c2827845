//! Containers of a pod, or of a template.

use skep_api::{
    Container, ContainerState, ContainerStateTerminated, ContainerStatus, EnvFromSource, EnvVar, Probe,
    ResourceList, UriScheme, VolumeMount,
};

use super::page::Page;
use crate::render::{age::date, cells::or_none};

/// Containers below a heading, with their states where there are any; nothing where there are no containers.
pub(super) fn containers(
    page: &mut Page,
    level: usize,
    heading: &str,
    containers: &[Container],
    statuses: &[ContainerStatus],
) {
    if containers.is_empty() {
        return;
    }
    page.heading(level, heading);
    for container in containers {
        page.heading(level + 1, &container.name);
        let status = statuses.iter().find(|status| status.name == container.name);
        one(page, level + 2, container, status);
    }
}

fn one(page: &mut Page, level: usize, container: &Container, status: Option<&ContainerStatus>) {
    if let Some(status) = status {
        page.field_if(level, "Container ID", &status.container_id);
    }
    page.field(level, "Image", &container.image);
    if let Some(status) = status {
        page.field_if(level, "Image ID", &status.image_id);
    }
    ports(page, level, container);
    command(page, level, "Command", &container.command);
    command(page, level, "Args", &container.args);
    if let Some(status) = status {
        state(page, level, "State", &status.state);
        if status.last_state.terminated.is_some() {
            state(page, level, "Last State", &status.last_state);
        }
        page.field(level, "Ready", if status.ready { "True" } else { "False" });
        page.field(level, "Restart Count", status.restart_count.to_string());
    }
    resources(page, level, "Limits", &container.resources.limits);
    resources(page, level, "Requests", &container.resources.requests);
    if let Some(status) = status.filter(|status| !status.allocated_resources_status.is_empty()) {
        page.heading(level, "Devices");
        for resource in &status.allocated_resources_status {
            let ids = resource.resources.iter().map(|one| one.resource_id.as_str());
            page.field(level + 1, &resource.name, ids.collect::<Vec<_>>().join(", "));
        }
    }
    let probes = [
        ("Liveness", &container.liveness_probe),
        ("Readiness", &container.readiness_probe),
        ("Startup", &container.startup_probe),
    ];
    for (label, asked) in probes {
        if let Some(asked) = asked {
            page.field(level, label, probe(asked));
        }
    }
    environment(page, level, container);
    page.list(level, "Mounts", container.volume_mounts.iter().map(mount));
}

fn ports(page: &mut Page, level: usize, container: &Container) {
    let protocol = |protocol| format!("{protocol:?}").to_uppercase();
    let ports = container
        .ports
        .iter()
        .map(|port| format!("{}/{}", port.container_port, protocol(port.protocol)));
    let ports: Vec<_> = ports.collect();
    if ports.is_empty() {
        return;
    }
    let host = container
        .ports
        .iter()
        .map(|port| format!("{}/{}", port.host_port, protocol(port.protocol)));
    let (one, many) = (["Port", "Host Port"], ["Ports", "Host Ports"]);
    let [label, host_label] = if ports.len() == 1 { one } else { many };
    page.field(level, label, ports.join(", "));
    page.field(level, host_label, host.collect::<Vec<_>>().join(", "));
}

fn command(page: &mut Page, level: usize, label: &str, words: &[String]) {
    if !words.is_empty() {
        page.heading(level, label);
        words
            .iter()
            .flat_map(|word| word.lines())
            .for_each(|line| page.text(level + 1, line));
    }
}

fn resources(page: &mut Page, level: usize, label: &str, amounts: &ResourceList) {
    if !amounts.is_empty() {
        page.heading(level, label);
        amounts
            .iter()
            .for_each(|(name, amount)| page.field(level + 1, name, amount.to_string()));
    }
}

fn state(page: &mut Page, level: usize, label: &str, state: &ContainerState) {
    let inner = level + 1;
    if let Some(running) = &state.running {
        page.field(level, label, "Running");
        page.field_if(inner, "Started", date(running.started_at));
    } else if let Some(end) = &state.terminated {
        page.field(level, label, "Terminated");
        terminated(page, inner, end);
    } else {
        page.field(level, label, "Waiting");
        let waiting = state.waiting.clone().unwrap_or_default();
        page.field_if(inner, "Reason", waiting.reason);
        page.field_if(inner, "Message", waiting.message);
    }
}

fn terminated(page: &mut Page, level: usize, end: &ContainerStateTerminated) {
    page.field_if(level, "Reason", &end.reason);
    page.field_if(level, "Message", &end.message);
    page.field(level, "Exit Code", end.exit_code.to_string());
    if end.signal != 0 {
        page.field(level, "Signal", end.signal.to_string());
    }
    page.field_if(level, "Started", date(end.started_at));
    page.field_if(level, "Finished", date(end.finished_at));
}

/// `http-get http://:8080/healthz delay=0s timeout=1s period=10s #success=1 #failure=3`.
pub(super) fn probe(probe: &Probe) -> String {
    format!(
        "{} delay={}s timeout={}s period={}s #success={} #failure={}",
        question(probe),
        probe.initial_delay_seconds,
        probe.timeout_seconds,
        probe.period_seconds,
        probe.success_threshold,
        probe.failure_threshold
    )
}

/// What a probe asks: `http-get http://:8080/healthz`.
pub(super) fn question(probe: &Probe) -> String {
    if let Some(http) = &probe.http_get {
        let scheme = if http.scheme == UriScheme::Https {
            "https"
        } else {
            "http"
        };
        let path = http.path.strip_prefix('/').unwrap_or(&http.path);
        return format!("http-get {scheme}://{}:{}/{path}", http.host, http.port);
    }
    if let Some(tcp) = &probe.tcp_socket {
        return format!("tcp-socket {}:{}", tcp.host, tcp.port);
    }
    if let Some(exec) = &probe.exec {
        return format!("exec [{}]", exec.command.join(" "));
    }
    let grpc = probe.grpc.clone().unwrap_or_default();
    format!("grpc <pod>:{} {}", grpc.port, grpc.service)
        .trim_end()
        .to_owned()
}

fn environment(page: &mut Page, level: usize, container: &Container) {
    if !container.env_from.is_empty() {
        page.heading(level, "Environment Variables from");
        container
            .env_from
            .iter()
            .for_each(|source| page.cells(level + 1, env_from(source)));
    }
    if container.env.is_empty() {
        page.list(level, "Environment", [""; 0]);
        return;
    }
    page.heading(level, "Environment");
    container
        .env
        .iter()
        .for_each(|variable| page.field(level + 1, &variable.name, value(variable)));
}

fn env_from(source: &EnvFromSource) -> Vec<String> {
    let (kind, reference) = match (&source.config_map_ref, &source.secret_ref) {
        (Some(config_map), _) => ("ConfigMap", config_map.clone()),
        (None, secret) => ("Secret", secret.clone().unwrap_or_default()),
    };
    let kind = match source.prefix.as_str() {
        "" => kind.to_owned(),
        prefix => format!("{kind} with prefix '{prefix}'"),
    };
    vec![reference.name, kind, format!("Optional: {}", reference.optional)]
}

fn value(variable: &EnvVar) -> String {
    let Some(source) = &variable.value_from else {
        return variable.value.clone();
    };
    if let Some(key) = &source.config_map_key_ref {
        return format!(
            "<set to the key '{}' of config map '{}'>  Optional: {}",
            key.key, key.name, key.optional
        );
    }
    if let Some(key) = &source.secret_key_ref {
        return format!(
            "<set to the key '{}' in secret '{}'>  Optional: {}",
            key.key, key.name, key.optional
        );
    }
    if let Some(resource) = &source.resource_field_ref {
        let container = or_none(&resource.container_name).replace("<none>", "this container");
        return format!("<set to {} of {container}>", resource.resource);
    }
    let field = source.field_ref.clone().unwrap_or_default();
    format!(" (v1:{})", field.field_path)
}

/// `/etc/web from config (ro,path="web.conf")`.
fn mount(mount: &VolumeMount) -> String {
    let access = if mount.read_only { "ro" } else { "rw" };
    match mount.sub_path.as_str() {
        "" => format!("{} from {} ({access})", mount.mount_path, mount.name),
        path => format!(
            "{} from {} ({access},path=\"{path}\")",
            mount.mount_path, mount.name
        ),
    }
}
