//! What a container's processes may do, in the engine's terms.

use std::collections::BTreeMap;

use skep_api::{Container, Pod, SeccompProfile, SeccompProfileType};

use super::SpecError;

/// The file of the Localhost seccomp profile that this container wants, below the node's `seccomp` folder.
pub fn localhost_profile<'a>(pod: &'a Pod, container: &'a Container) -> Option<&'a str> {
    seccomp(pod, container)
        .filter(|profile| profile.r#type == SeccompProfileType::Localhost)
        .map(|profile| profile.localhost_profile.as_str())
}

/// Security options of the engine. A privileged container has no seccomp filter whatever it asks for, as everywhere.
pub(super) fn options(
    pod: &Pod,
    container: &Container,
    profile: Option<&str>,
) -> Result<Vec<String>, SpecError> {
    let context = container.security_context.clone().unwrap_or_default();
    let mut options = Vec::new();
    if context.allow_privilege_escalation == Some(false) {
        options.push("no-new-privileges".to_owned());
    }
    match seccomp(pod, container) {
        None => {}
        Some(wanted) => match wanted.r#type {
            SeccompProfileType::RuntimeDefault => {}
            SeccompProfileType::Unconfined => options.push("seccomp=unconfined".to_owned()),
            SeccompProfileType::Localhost => {
                let text =
                    profile.ok_or_else(|| SpecError::NoSeccompProfile(wanted.localhost_profile.clone()))?;
                options.push(format!("seccomp={text}"));
            }
        },
    }
    Ok(options)
}

/// Names as the engine wants them: upper case, without `CAP_`, sorted, each once.
pub(super) fn capabilities(names: &[String]) -> Vec<String> {
    let mut names: Vec<String> = names
        .iter()
        .map(|name| {
            let name = name.to_ascii_uppercase();
            name.strip_prefix("CAP_").map(str::to_owned).unwrap_or(name)
        })
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Kernel settings of the pod's own namespaces; those of the node's are refused.
pub(super) fn sysctls(pod: &Pod) -> Result<BTreeMap<String, String>, SpecError> {
    let Some(context) = &pod.spec.security_context else {
        return Ok(BTreeMap::new());
    };
    let mut sysctls = BTreeMap::new();
    for sysctl in &context.sysctls {
        let name = sysctl.name.replace('/', ".");
        let of_network = name.starts_with("net.");
        if (of_network && pod.spec.host_network) || (!of_network && pod.spec.host_ipc) {
            return Err(SpecError::HostSysctl(name));
        }
        sysctls.insert(name, sysctl.value.clone());
    }
    Ok(sysctls)
}

fn seccomp<'a>(pod: &'a Pod, container: &'a Container) -> Option<&'a SeccompProfile> {
    let own = container
        .security_context
        .as_ref()
        .and_then(|context| context.seccomp_profile.as_ref());
    own.or_else(|| {
        pod.spec
            .security_context
            .as_ref()
            .and_then(|context| context.seccomp_profile.as_ref())
    })
}
