//! Probes and the actions that they share with lifecycle handlers.

use crate::{
    Container, ExecAction, HttpGetAction, IntOrString, Probe, TcpSocketAction, errors::Errors, names,
    path::Path,
};

use super::{container::exactly_one, meta};

/// Checks the probes of the container found at `path`.
pub(super) fn all(container: &Container, path: &Path<'_>, errors: &mut Errors) {
    for (field, probe) in [
        ("livenessProbe", &container.liveness_probe),
        ("readinessProbe", &container.readiness_probe),
        ("startupProbe", &container.startup_probe),
    ] {
        let Some(probe) = probe else { continue };
        let path = path.field(field);
        handler(probe, container, &path, errors);
        numbers(probe, &path, errors);
        if field == "readinessProbe" {
            if probe.termination_grace_period_seconds.is_some() {
                let message = "must be left out of readiness probes: they end no container";
                errors.forbidden(&path.field("terminationGracePeriodSeconds"), message);
            }
        } else if probe.success_threshold != 1 {
            let message = format!(
                "{} must be 1 for liveness and startup probes",
                probe.success_threshold
            );
            errors.invalid(&path.field("successThreshold"), message);
        }
    }
}

fn handler(probe: &Probe, container: &Container, path: &Path<'_>, errors: &mut Errors) {
    let set = [
        ("httpGet", probe.http_get.is_some()),
        ("tcpSocket", probe.tcp_socket.is_some()),
        ("exec", probe.exec.is_some()),
        ("grpc", probe.grpc.is_some()),
    ];
    exactly_one(&set, path, errors);
    if let Some(action) = &probe.http_get {
        http_get(action, container, &path.field("httpGet"), errors);
    }
    if let Some(action) = &probe.tcp_socket {
        tcp_socket(action, container, &path.field("tcpSocket"), errors);
    }
    if let Some(action) = &probe.exec {
        exec(action, &path.field("exec"), errors);
    }
    if let Some(action) = &probe.grpc {
        meta::port(action.port, &path.field("grpc").field("port"), errors);
    }
}

fn numbers(probe: &Probe, path: &Path<'_>, errors: &mut Errors) {
    meta::non_negative(
        probe.initial_delay_seconds,
        &path.field("initialDelaySeconds"),
        errors,
    );
    for (field, number) in [
        ("timeoutSeconds", probe.timeout_seconds),
        ("periodSeconds", probe.period_seconds),
        ("successThreshold", probe.success_threshold),
        ("failureThreshold", probe.failure_threshold),
    ] {
        meta::non_negative(number, &path.field(field), errors);
    }
    if let Some(seconds) = probe.termination_grace_period_seconds {
        meta::between(
            seconds,
            1,
            i64::MAX,
            &path.field("terminationGracePeriodSeconds"),
            errors,
        );
    }
}

/// Checks a command.
pub(super) fn exec(action: &ExecAction, path: &Path<'_>, errors: &mut Errors) {
    if action.command.is_empty() {
        errors.required(&path.field("command"), "is missing");
    }
}

/// Checks an HTTP request.
pub(super) fn http_get(action: &HttpGetAction, container: &Container, path: &Path<'_>, errors: &mut Errors) {
    meta::required(&action.path, &path.field("path"), errors);
    port(&action.port, container, &path.field("port"), errors);
    let headers = path.field("httpHeaders");
    for (index, header) in action.http_headers.iter().enumerate() {
        let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        if header.name.is_empty() || !header.name.chars().all(token) {
            let message = format!("`{}` is not the name of an HTTP header", header.name);
            errors.invalid(&headers.index(index).field("name"), message);
        }
    }
}

/// Checks a TCP connection.
pub(super) fn tcp_socket(
    action: &TcpSocketAction,
    container: &Container,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    port(&action.port, container, &path.field("port"), errors);
}

fn port(port: &IntOrString, container: &Container, path: &Path<'_>, errors: &mut Errors) {
    match port {
        IntOrString::Int(number) => meta::port(*number, path, errors),
        IntOrString::String(name) => {
            if let Some(problem) = names::port_name(name) {
                errors.invalid(path, format!("`{name}` {problem}"));
            } else if !container.ports.iter().any(|port| port.name == *name) {
                errors.invalid(
                    path,
                    format!("`{name}` is not the name of a port of this container"),
                );
            }
        }
    }
}
