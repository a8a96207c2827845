//! Pods and pod templates.

use std::collections::BTreeSet;

use crate::{
    DnsPolicy, HostAlias, Pod, PodSpec, PodTemplateSpec, Reason, RestartPolicy, TaintEffect, Toleration,
    TolerationOperator, errors::Errors, names, path::Path,
};

use super::{affinity, container, meta, resources, scheduling, security, volume};

/// The one scheduler.
const SCHEDULER: &str = "default-scheduler";

const NAMESERVERS_MAX: usize = 3;
const SEARCHES_MAX: usize = 32;

/// Checks a pod, whose spec is found at `path`.
pub(super) fn pod(pod: &Pod, path: &Path<'_>, errors: &mut Errors) {
    spec(&pod.spec, path, errors);
}

/// Checks a template: its pods are to run for ever.
pub(super) fn template(template: &PodTemplateSpec, path: &Path<'_>, errors: &mut Errors) {
    meta::template(&template.metadata, &path.field("metadata"), errors);
    let path = path.field("spec");
    if template.spec.restart_policy != RestartPolicy::Always {
        let policy = template.spec.restart_policy;
        let message = format!("`{policy:?}` is not supported here: pods of a template are restarted Always");
        errors.push(&path.field("restartPolicy"), Reason::NotSupported, message);
    }
    if template.spec.active_deadline_seconds.is_some() {
        errors.forbidden(
            &path.field("activeDeadlineSeconds"),
            "must be left out of a template",
        );
    }
    spec(&template.spec, &path, errors);
}

fn spec(spec: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    container::all(spec, path, errors);
    volume::all(spec, &path.field("volumes"), errors);
    security::pod(spec, path, errors);
    placement(spec, path, errors);
    if let Some(wanted) = &spec.affinity {
        affinity::check(wanted, &path.field("affinity"), errors);
    }
    scheduling::check(spec, path, errors);
    resources::of_pod(spec, path, errors);
    dns(spec, path, errors);
    meta::non_negative(
        spec.termination_grace_period_seconds,
        &path.field("terminationGracePeriodSeconds"),
        errors,
    );
    if let Some(seconds) = spec.active_deadline_seconds {
        meta::between(
            seconds,
            1,
            i32::MAX.into(),
            &path.field("activeDeadlineSeconds"),
            errors,
        );
    }
    let secrets = path.field("imagePullSecrets");
    for (index, secret) in spec.image_pull_secrets.iter().enumerate() {
        meta::required(&secret.name, &secrets.index(index).field("name"), errors);
    }
    if !spec.hostname.is_empty() {
        errors.about(
            &path.field("hostname"),
            &spec.hostname,
            names::dns_label(&spec.hostname),
        );
    }
    host_aliases(&spec.host_aliases, &path.field("hostAliases"), errors);
}

fn placement(spec: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    meta::labels(&spec.node_selector, &path.field("nodeSelector"), errors);
    if !spec.node_name.is_empty() {
        errors.about(
            &path.field("nodeName"),
            &spec.node_name,
            names::dns_subdomain(&spec.node_name),
        );
    }
    if spec.scheduler_name != SCHEDULER {
        let message = format!(
            "`{}` is not implemented by skep: the one scheduler is {SCHEDULER}",
            spec.scheduler_name
        );
        errors.push(&path.field("schedulerName"), Reason::NotImplemented, message);
    }
    let list = path.field("tolerations");
    for (index, one) in spec.tolerations.iter().enumerate() {
        toleration(one, &list.index(index), errors);
    }
}

fn toleration(toleration: &Toleration, path: &Path<'_>, errors: &mut Errors) {
    if !toleration.key.is_empty() {
        errors.about(
            &path.field("key"),
            &toleration.key,
            names::qualified_name(&toleration.key),
        );
    } else if toleration.operator != TolerationOperator::Exists {
        errors.invalid(
            &path.field("operator"),
            "must be Exists where the key is left out",
        );
    }
    if toleration.operator == TolerationOperator::Exists {
        if !toleration.value.is_empty() {
            errors.forbidden(
                &path.field("value"),
                "must be left out where the operator is Exists",
            );
        }
    } else {
        errors.about(
            &path.field("value"),
            &toleration.value,
            names::label_value(&toleration.value),
        );
    }
    if toleration.toleration_seconds.is_some() && toleration.effect != Some(TaintEffect::NoExecute) {
        errors.invalid(
            &path.field("effect"),
            "must be NoExecute where tolerationSeconds is set",
        );
    }
}

fn dns(spec: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    let path = path.field("dnsConfig");
    let config = spec.dns_config.clone().unwrap_or_default();
    let nameservers = path.field("nameservers");
    if spec.dns_policy == DnsPolicy::None && config.nameservers.is_empty() {
        errors.required(
            &nameservers,
            "is missing; dnsPolicy None needs at least one name server",
        );
    }
    bounded(config.nameservers.len(), NAMESERVERS_MAX, &nameservers, errors);
    for (index, address) in config.nameservers.iter().enumerate() {
        errors.about(&nameservers.index(index), address, names::ip(address));
    }
    let searches = path.field("searches");
    bounded(config.searches.len(), SEARCHES_MAX, &searches, errors);
    for (index, domain) in config.searches.iter().enumerate() {
        let plain = domain.strip_suffix('.').unwrap_or(domain);
        errors.about(&searches.index(index), domain, names::dns_subdomain(plain));
    }
    let options = path.field("options");
    for (index, option) in config.options.iter().enumerate() {
        meta::required(&option.name, &options.index(index).field("name"), errors);
    }
}

fn bounded(count: usize, max: usize, path: &Path<'_>, errors: &mut Errors) {
    if count > max {
        errors.push(
            path,
            Reason::TooLong,
            format!("has {count} entries, {max} are allowed"),
        );
    }
}

fn host_aliases(aliases: &[HostAlias], path: &Path<'_>, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for (index, alias) in aliases.iter().enumerate() {
        let path = path.index(index);
        errors.about(&path.field("ip"), &alias.ip, names::ip(&alias.ip));
        if !seen.insert(&alias.ip) {
            errors.duplicate(&path.field("ip"), &alias.ip);
        }
        let hostnames = path.field("hostnames");
        for (index, name) in alias.hostnames.iter().enumerate() {
            errors.about(&hostnames.index(index), name, names::dns_subdomain(name));
        }
    }
}
