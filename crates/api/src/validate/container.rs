//! Containers: names, ports, mounts; the rest is in files of its own.

use std::collections::BTreeSet;

use crate::{
    Container, ContainerPort, LifecycleHandler, MountPropagation, PodSpec, VolumeMount, errors::Errors,
    names, path::Path,
};

use super::{env, meta, probe, resources, security};

/// Checks all containers of the pod spec found at `path`.
pub(super) fn all(spec: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    if spec.containers.is_empty() {
        errors.required(
            &path.field("containers"),
            "is missing; a pod needs at least one container",
        );
    }
    let (init, main) = (path.field("initContainers"), path.field("containers"));
    let mut seen = BTreeSet::new();
    for (index, container) in spec.init_containers.iter().enumerate() {
        name(container, &init.index(index), &mut seen, errors);
        check(container, spec, &init.index(index), errors);
        if !container.is_sidecar() {
            runs_to_its_end(container, &init.index(index), errors);
        }
    }
    for (index, container) in spec.containers.iter().enumerate() {
        name(container, &main.index(index), &mut seen, errors);
        check(container, spec, &main.index(index), errors);
        if container.is_sidecar() {
            let message = "must be left out: only init containers may have one of their own";
            errors.forbidden(&main.index(index).field("restartPolicy"), message);
        }
    }
    host_ports(spec, &main, errors);
}

fn name<'a>(container: &'a Container, path: &Path<'_>, seen: &mut BTreeSet<&'a str>, errors: &mut Errors) {
    let path = path.field("name");
    if container.name.is_empty() {
        errors.required(&path, "is missing");
    } else if !seen.insert(&container.name) {
        errors.duplicate(&path, &container.name);
    } else {
        errors.about(&path, &container.name, names::dns_label(&container.name));
    }
}

fn check(container: &Container, spec: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    let image = path.field("image");
    meta::required(&container.image, &image, errors);
    if container.image.contains(char::is_whitespace) {
        errors.invalid(&image, format!("`{}` must not contain spaces", container.image));
    }
    ports(container, spec.host_network, &path.field("ports"), errors);
    env::check(container, spec, path, errors);
    resources::requirements(&container.resources, &path.field("resources"), errors);
    mounts(container, spec, &path.field("volumeMounts"), errors);
    lifecycle(container, spec, &path.field("lifecycle"), errors);
    probe::all(container, path, errors);
    security::container(container, spec, &path.field("securityContext"), errors);
}

/// Init containers end: nothing that watches or winds down a lasting process makes sense for them.
fn runs_to_its_end(container: &Container, path: &Path<'_>, errors: &mut Errors) {
    for (field, is_set) in [
        ("livenessProbe", container.liveness_probe.is_some()),
        ("readinessProbe", container.readiness_probe.is_some()),
        ("startupProbe", container.startup_probe.is_some()),
        ("lifecycle", container.lifecycle.is_some()),
    ] {
        if is_set {
            errors.forbidden(
                &path.field(field),
                "must be left out of init containers, except of those with restartPolicy: Always",
            );
        }
    }
}

fn ports(container: &Container, host_network: bool, path: &Path<'_>, errors: &mut Errors) {
    let (mut names_seen, mut seen) = (BTreeSet::new(), BTreeSet::new());
    for (index, port) in container.ports.iter().enumerate() {
        let path = path.index(index);
        meta::port(port.container_port, &path.field("containerPort"), errors);
        if port.host_port != 0 {
            meta::port(port.host_port, &path.field("hostPort"), errors);
        }
        if host_network && port.host_port != port.container_port {
            let message = format!(
                "{} must be the containerPort on the node's network",
                port.host_port
            );
            errors.invalid(&path.field("hostPort"), message);
        }
        if !port.host_ip.is_empty() {
            errors.about(&path.field("hostIP"), &port.host_ip, names::ip(&port.host_ip));
        }
        if !port.name.is_empty() {
            errors.about(&path.field("name"), &port.name, names::port_name(&port.name));
            if !names_seen.insert(&port.name) {
                errors.duplicate(&path.field("name"), &port.name);
            }
        }
        if !seen.insert((port.container_port, protocol(port), port.host_port, &port.host_ip)) {
            errors.duplicate(&path, &format!("{}/{}", port.container_port, protocol(port)));
        }
    }
}

/// One port of the node cannot be listened on twice by a pod.
fn host_ports(spec: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    let mut seen: BTreeSet<(i32, String, &str)> = BTreeSet::new();
    for (index, container) in spec.containers.iter().enumerate() {
        let path = path.index(index);
        let list = path.field("ports");
        let mut own = BTreeSet::new();
        for (index, port) in container
            .ports
            .iter()
            .enumerate()
            .filter(|(_, port)| port.host_port != 0)
        {
            let taken = (port.host_port, protocol(port), port.host_ip.as_str());
            // Where the container's port is the same as well, the whole entry is a duplicate, and told as one.
            let again = !own.insert((port.container_port, taken.clone()));
            if !seen.insert(taken) && !again {
                let path = list.index(index);
                errors.duplicate(&path.field("hostPort"), &port.host_port.to_string());
            }
        }
    }
}

fn protocol(port: &ContainerPort) -> String {
    format!("{:?}", port.protocol).to_uppercase()
}

fn mounts(container: &Container, spec: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for (index, mount) in container.volume_mounts.iter().enumerate() {
        let path = path.index(index);
        mount_source(mount, spec, &path.field("name"), errors);
        let target = path.field("mountPath");
        if mount.mount_path.is_empty() {
            errors.required(&target, "is missing");
        } else if !mount.mount_path.starts_with('/') || mount.mount_path.contains(':') {
            errors.invalid(
                &target,
                format!("`{}` must be absolute and without `:`", mount.mount_path),
            );
        } else if !seen.insert(mount.mount_path.trim_end_matches('/')) {
            errors.duplicate(&target, &mount.mount_path);
        }
        meta::relative_path(&mount.sub_path, &path.field("subPath"), errors);
        let privileged = container
            .security_context
            .as_ref()
            .is_some_and(|context| context.privileged);
        if mount.mount_propagation == MountPropagation::Bidirectional && !privileged {
            errors.forbidden(
                &path.field("mountPropagation"),
                "Bidirectional is for privileged containers only",
            );
        }
    }
}

fn mount_source(mount: &VolumeMount, spec: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    if mount.name.is_empty() {
        errors.required(path, "is missing");
    } else if !spec.volumes.iter().any(|volume| volume.name == mount.name) {
        errors.invalid(path, format!("`{}` is not a volume of this pod", mount.name));
    }
}

fn lifecycle(container: &Container, spec: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    let Some(lifecycle) = &container.lifecycle else {
        return;
    };
    for (field, handler) in [
        ("postStart", &lifecycle.post_start),
        ("preStop", &lifecycle.pre_stop),
    ] {
        if let Some(handler) = handler {
            lifecycle_handler(handler, container, spec, &path.field(field), errors);
        }
    }
}

fn lifecycle_handler(
    handler: &LifecycleHandler,
    container: &Container,
    spec: &PodSpec,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let set = [
        ("exec", handler.exec.is_some()),
        ("httpGet", handler.http_get.is_some()),
        ("tcpSocket", handler.tcp_socket.is_some()),
        ("sleep", handler.sleep.is_some()),
    ];
    exactly_one(&set, path, errors);
    if let Some(action) = &handler.exec {
        probe::exec(action, &path.field("exec"), errors);
    }
    if let Some(action) = &handler.http_get {
        probe::http_get(action, container, &path.field("httpGet"), errors);
    }
    if let Some(action) = &handler.tcp_socket {
        probe::tcp_socket(action, container, &path.field("tcpSocket"), errors);
    }
    if let Some(action) = &handler.sleep {
        let path = path.field("sleep");
        meta::between(
            action.seconds,
            0,
            spec.termination_grace_period_seconds.max(0),
            &path.field("seconds"),
            errors,
        );
    }
}

/// Exactly one of these fields is to be set.
pub(super) fn exactly_one(fields: &[(&str, bool)], path: &Path<'_>, errors: &mut Errors) {
    let set: Vec<_> = fields
        .iter()
        .filter(|(_, set)| *set)
        .map(|(name, _)| *name)
        .collect();
    match set.as_slice() {
        [_] => {}
        [] => {
            let names: Vec<_> = fields.iter().map(|(name, _)| *name).collect();
            errors.required(path, format!("needs one of {}", names.join(", ")));
        }
        set => errors.invalid(
            path,
            format!("has {}; only one of them may be set", set.join(" and ")),
        ),
    }
}
