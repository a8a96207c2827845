//! Security contexts of pods and containers.

use std::collections::BTreeSet;

use crate::{
    Capabilities, Container, PodSpec, SeccompProfile, SeccompProfileType, SecurityContext, Sysctl,
    errors::Errors, path::Path,
};

use super::meta;

/// User and group ids.
const ID_MAX: i64 = i32::MAX as i64;

/// What Linux calls the rights of root, without the prefix `CAP_`.
const CAPABILITIES: [&str; 41] = [
    "AUDIT_CONTROL",
    "AUDIT_READ",
    "AUDIT_WRITE",
    "BLOCK_SUSPEND",
    "BPF",
    "CHECKPOINT_RESTORE",
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "IPC_LOCK",
    "IPC_OWNER",
    "KILL",
    "LEASE",
    "LINUX_IMMUTABLE",
    "MAC_ADMIN",
    "MAC_OVERRIDE",
    "MKNOD",
    "NET_ADMIN",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_RAW",
    "PERFMON",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYSLOG",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_CHROOT",
    "SYS_MODULE",
    "SYS_NICE",
    "SYS_PACCT",
    "SYS_PTRACE",
    "SYS_RAWIO",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "WAKE_ALARM",
];

/// Checks what the pod spec found at `path` says about all its containers.
pub(super) fn pod(spec: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    if spec.share_process_namespace && spec.host_pid {
        errors.invalid(
            &path.field("shareProcessNamespace"),
            "may not be set along with hostPID",
        );
    }
    let Some(context) = &spec.security_context else {
        return;
    };
    let path = path.field("securityContext");
    ids(context.run_as_user, context.run_as_group, &path, errors);
    id(context.fs_group, &path.field("fsGroup"), errors);
    let groups = path.field("supplementalGroups");
    for (index, group) in context.supplemental_groups.iter().enumerate() {
        id(Some(*group), &groups.index(index), errors);
    }
    if let Some(profile) = &context.seccomp_profile {
        seccomp(profile, &path.field("seccompProfile"), errors);
    }
    sysctls(spec, &context.sysctls, &path.field("sysctls"), errors);
}

/// Checks a container's own context, and what it comes to together with the pod's.
pub(super) fn container(container: &Container, spec: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    let context = container.security_context.clone().unwrap_or_default();
    ids(context.run_as_user, context.run_as_group, path, errors);
    if let Some(profile) = &context.seccomp_profile {
        seccomp(profile, &path.field("seccompProfile"), errors);
    }
    let capabilities = context.capabilities.clone().unwrap_or_default();
    check_capabilities(&capabilities, &path.field("capabilities"), errors);
    escalation(
        &context,
        &capabilities,
        &path.field("allowPrivilegeEscalation"),
        errors,
    );
    let pod = spec.security_context.clone().unwrap_or_default();
    let user = context.run_as_user.or(pod.run_as_user);
    if user == Some(0) && context.run_as_non_root.or(pod.run_as_non_root) == Some(true) {
        errors.invalid(&path.field("runAsUser"), "0 is root, and runAsNonRoot is true");
    }
}

fn ids(user: Option<i64>, group: Option<i64>, path: &Path<'_>, errors: &mut Errors) {
    id(user, &path.field("runAsUser"), errors);
    id(group, &path.field("runAsGroup"), errors);
}

fn id(id: Option<i64>, path: &Path<'_>, errors: &mut Errors) {
    if let Some(id) = id {
        meta::between(id, 0, ID_MAX, path, errors);
    }
}

fn escalation(context: &SecurityContext, capabilities: &Capabilities, path: &Path<'_>, errors: &mut Errors) {
    if context.allow_privilege_escalation != Some(false) {
        return;
    }
    if context.privileged {
        errors.invalid(path, "may not be false where privileged is true");
    }
    if capabilities
        .add
        .iter()
        .any(|name| name == "SYS_ADMIN" || name == "CAP_SYS_ADMIN")
    {
        errors.invalid(path, "may not be false where the capability SYS_ADMIN is added");
    }
}

fn check_capabilities(capabilities: &Capabilities, path: &Path<'_>, errors: &mut Errors) {
    for (field, names) in [("add", &capabilities.add), ("drop", &capabilities.drop)] {
        let list = path.field(field);
        for (index, name) in names.iter().enumerate() {
            if name == "ALL" || CAPABILITIES.contains(&name.as_str()) {
                continue;
            }
            let plain = name.to_ascii_uppercase();
            let plain = plain.strip_prefix("CAP_").unwrap_or(&plain);
            let known = CAPABILITIES.contains(&plain) || plain == "ALL";
            let hint = if known {
                format!("; write {plain}")
            } else {
                String::new()
            };
            errors.invalid(&list.index(index), format!("`{name}` is not a capability{hint}"));
        }
    }
}

fn seccomp(profile: &SeccompProfile, path: &Path<'_>, errors: &mut Errors) {
    let path = path.field("localhostProfile");
    if profile.r#type == SeccompProfileType::Localhost {
        meta::required(&profile.localhost_profile, &path, errors);
        meta::relative_path(&profile.localhost_profile, &path, errors);
    } else if !profile.localhost_profile.is_empty() {
        errors.forbidden(&path, "must be left out unless the type is Localhost");
    }
}

fn sysctls(spec: &PodSpec, sysctls: &[Sysctl], path: &Path<'_>, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for (index, sysctl) in sysctls.iter().enumerate() {
        let path = path.index(index);
        let path = path.field("name");
        let name = sysctl.name.replace('/', ".");
        if !is_sysctl(&name) {
            errors.invalid(
                &path,
                format!("`{}` is not a setting such as net.core.somaxconn", sysctl.name),
            );
        }
        if spec.host_network && name.starts_with("net.") {
            errors.invalid(&path, format!("`{name}` may not be set on the node's network"));
        }
        let is_ipc = ["kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue."]
            .iter()
            .any(|part| name.starts_with(part));
        if spec.host_ipc && is_ipc {
            errors.invalid(&path, format!("`{name}` may not be set where hostIPC is true"));
        }
        if !seen.insert(name.clone()) {
            errors.duplicate(&path, &name);
        }
    }
}

fn is_sysctl(name: &str) -> bool {
    let part = |part: &str| {
        let ends = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        part.starts_with(ends)
            && part.ends_with(ends)
            && part.chars().all(|c| ends(c) || matches!(c, '-' | '_'))
    };
    name.len() <= 253 && name.contains('.') && name.split('.').all(part)
}
