//! What a pod's spec leaves out.

use std::collections::BTreeSet;

use crate::{
    Container, EnvVar, HttpGetAction, ImagePullPolicy, LifecycleHandler, ObjectFieldSelector, PodSpec, Probe,
    path::Path,
};

/// More warnings than this help nobody.
const WARNINGS_MAX: usize = 200;

/// Fills in a pod's spec found at `path`.
pub(super) fn spec(spec: &mut PodSpec, path: &Path<'_>, warnings: &mut Vec<String>) {
    let host_network = spec.host_network;
    for (list, containers) in [
        ("initContainers", &mut spec.init_containers),
        ("containers", &mut spec.containers),
    ] {
        let path = path.field(list);
        for (index, container) in containers.iter_mut().enumerate() {
            default_container(container, host_network);
            warn(container, &path.index(index), warnings);
        }
    }
    for volume in &mut spec.volumes {
        let files = volume
            .downward_api
            .iter_mut()
            .flat_map(|source| &mut source.items);
        let sources = volume
            .projected
            .iter_mut()
            .flat_map(|projected| &mut projected.sources);
        let projected = sources
            .filter_map(|source| source.downward_api.as_mut())
            .flat_map(|source| &mut source.items);
        files
            .chain(projected)
            .filter_map(|file| file.field_ref.as_mut())
            .for_each(default_field_ref);
    }
}

/// Containers with a limit and no request ask for the limit.
pub(super) fn requests(spec: &mut PodSpec) {
    for container in spec.init_containers.iter_mut().chain(&mut spec.containers) {
        let resources = &mut container.resources;
        for (resource, limit) in &resources.limits {
            resources.requests.entry(resource.clone()).or_insert(*limit);
        }
    }
    default_pod_requests(spec);
}

/// Where the pod as a whole has limits, it asks for what its containers ask for, or else for the limit.
fn default_pod_requests(spec: &mut PodSpec) {
    if spec.resources.limits.is_empty() {
        return;
    }
    let of_containers = spec.container_requests();
    let resources = &mut spec.resources;
    for (resource, limit) in &resources.limits {
        let amount = of_containers.get(resource).unwrap_or(limit);
        resources.requests.entry(resource.clone()).or_insert(*amount);
    }
}

fn default_container(container: &mut Container, host_network: bool) {
    if container.termination_message_path.is_empty() {
        container.termination_message_path = Container::default().termination_message_path;
    }
    if container.image_pull_policy.is_none() {
        container.image_pull_policy = Some(pull_policy(&container.image));
    }
    if host_network {
        container
            .ports
            .iter_mut()
            .filter(|port| port.host_port == 0)
            .for_each(|port| {
                port.host_port = port.container_port;
            });
    }
    for EnvVar { value_from, .. } in &mut container.env {
        value_from
            .iter_mut()
            .filter_map(|source| source.field_ref.as_mut())
            .for_each(default_field_ref);
    }
    let probes = [
        &mut container.liveness_probe,
        &mut container.readiness_probe,
        &mut container.startup_probe,
    ];
    probes
        .into_iter()
        .flatten()
        .for_each(|probe| default_probe(probe));
    if let Some(lifecycle) = &mut container.lifecycle {
        let handlers = [&mut lifecycle.post_start, &mut lifecycle.pre_stop];
        handlers.into_iter().flatten().for_each(default_handler);
    }
}

/// Always where the tag is `latest` or missing: such an image may be another one tomorrow.
fn pull_policy(image: &str) -> ImagePullPolicy {
    if image.contains('@') {
        return ImagePullPolicy::IfNotPresent;
    }
    let name = image.rsplit('/').next().unwrap_or_default();
    match name.split_once(':') {
        None | Some((_, "latest")) => ImagePullPolicy::Always,
        Some(_) => ImagePullPolicy::IfNotPresent,
    }
}

/// In Kubernetes 0 stands for a number that was left out.
fn default_probe(probe: &mut Probe) {
    let unset = Probe::default();
    for (number, default) in [
        (&mut probe.timeout_seconds, unset.timeout_seconds),
        (&mut probe.period_seconds, unset.period_seconds),
        (&mut probe.success_threshold, unset.success_threshold),
        (&mut probe.failure_threshold, unset.failure_threshold),
    ] {
        if *number == 0 {
            *number = default;
        }
    }
    probe.http_get.iter_mut().for_each(default_http_get);
}

fn default_handler(handler: &mut LifecycleHandler) {
    handler.http_get.iter_mut().for_each(default_http_get);
}

fn default_http_get(action: &mut HttpGetAction) {
    if action.path.is_empty() {
        "/".clone_into(&mut action.path);
    }
}

fn default_field_ref(field: &mut ObjectFieldSelector) {
    if field.api_version.is_empty() {
        "v1".clone_into(&mut field.api_version);
    }
}

/// A variable that is set twice is legal and rarely meant.
fn warn(container: &Container, path: &Path<'_>, warnings: &mut Vec<String>) {
    let mut seen = BTreeSet::new();
    let list = path.field("env");
    for (index, variable) in container.env.iter().enumerate() {
        if !seen.insert(&variable.name) && warnings.len() < WARNINGS_MAX {
            let name = &variable.name;
            warnings.push(format!(
                "{}: `{name}` is set before; the last one wins",
                list.index(index)
            ));
        }
    }
}
