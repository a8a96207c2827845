//! One run of one container, in the engine's terms.

use std::collections::BTreeMap;

use skep_api::{Container, Pod};

use super::{
    ContainerKind, Inputs, SpecError, container_name, expand::expand, identity, labels, network, resources,
    security,
};
use crate::runtime::ContainerSpec;

/// The container as the engine is to make it.
pub fn container(pod: &Pod, container: &Container, inputs: &Inputs<'_>) -> Result<ContainerSpec, SpecError> {
    let context = container.security_context.clone().unwrap_or_default();
    let capabilities = context.capabilities.unwrap_or_default();
    let amounts = resources::effective(pod, container);
    let mut spec = ContainerSpec {
        name: container_name(pod, &container.name, inputs.attempt),
        labels: labels::labels(pod, Some(container), inputs),
        image: container.image.clone(),
        entrypoint: expanded(&container.command, inputs.env),
        command: expanded(&container.args, inputs.env),
        env: inputs
            .env
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect(),
        working_dir: container.working_dir.clone(),
        user: identity::user(pod, container, inputs.image)?,
        groups: identity::groups(pod),
        mounts: inputs.mounts.clone(),
        devices: inputs.grant.paths.clone(),
        gpus: inputs.grant.gpus.clone(),
        cpus: inputs.grant.cpus.clone(),
        cap_add: security::capabilities(&capabilities.add),
        cap_drop: security::capabilities(&capabilities.drop),
        privileged: context.privileged,
        read_only_root: context.read_only_root_filesystem,
        security_opt: security::options(pod, container, inputs.seccomp_profile)?,
        sysctls: own_sysctls(pod, inputs)?,
        cpu_shares: resources::cpu_shares(&amounts),
        // On CPUs of its own it cannot take anybody else's time: a quota would only hold it up.
        cpu_limit_millis: if inputs.grant.own_cpus {
            0
        } else {
            resources::cpu_limit_millis(&amounts)
        },
        memory_limit_bytes: resources::memory_limit_bytes(&amounts),
        oom_score_adj: resources::oom_score_adj(pod, container, inputs.node_memory_bytes),
        stdin: container.stdin,
        stdin_once: container.stdin_once,
        tty: container.tty,
        log_bytes_max: inputs.log_bytes_max,
        ..ContainerSpec::default()
    };
    debug_assert_ne!(
        inputs.kind,
        ContainerKind::Holder,
        "the holder is made by `holder`"
    );
    network::apply(&mut spec, pod, inputs)?;
    Ok(spec)
}

/// A container that joins the holder's namespaces finds them set.
fn own_sysctls(pod: &Pod, inputs: &Inputs<'_>) -> Result<BTreeMap<String, String>, SpecError> {
    let sysctls = security::sysctls(pod)?;
    Ok(if network::joins(pod, inputs) {
        BTreeMap::new()
    } else {
        sysctls
    })
}

fn expanded(words: &[String], env: &[(String, String)]) -> Vec<String> {
    let lookup = |name: &str| {
        env.iter()
            .rev()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.clone())
    };
    words.iter().map(|word| expand(word, lookup)).collect()
}
