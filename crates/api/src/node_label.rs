//! Which labels a node's own agent may give it: a machine that is taken over must not make itself one that is trusted with more.

use crate::{
    names,
    well_known::{HOSTNAME, POOL, ZONE},
};

/// The label that names the kind of machine.
pub const INSTANCE_TYPE: &str = "node.kubernetes.io/instance-type";
/// The label that has the machine's architecture.
pub const ARCH: &str = "kubernetes.io/arch";
/// The label that has the machine's operating system.
pub const OS: &str = "kubernetes.io/os";

/// Domains whose labels are the cluster's to give, with those below them.
const PROTECTED: [&str; 3] = ["kubernetes.io", "k8s.io", "skep.io"];

/// What an agent may say of its machine although the domain is protected.
const ALLOWED: [&str; 7] = [
    POOL,
    ZONE,
    "topology.kubernetes.io/region",
    INSTANCE_TYPE,
    HOSTNAME,
    ARCH,
    OS,
];

/// Domains below protected ones that are the agents'.
const ALLOWED_DOMAINS: [&str; 2] = ["node.kubernetes.io", "kubelet.kubernetes.io"];

/// What is wrong with a label that an agent gives its own node, as the rest of a sentence that starts with the key; `None` where
/// it may. The rules are those of Kubernetes' NodeRestriction.
pub fn problem(key: &str, value: &str) -> Option<String> {
    if let Some(problem) = names::qualified_name(key) {
        return Some(problem);
    }
    if let Some(problem) = names::label_value(value) {
        return Some(format!("has the value `{value}`, which {problem}"));
    }
    let domain = key.split_once('/').map_or("", |(domain, _)| domain);
    let is_below = |parent: &str| {
        let rest = domain.strip_suffix(parent);
        rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    let is_protected = PROTECTED.into_iter().any(is_below);
    let is_allowed = ALLOWED.contains(&key) || ALLOWED_DOMAINS.into_iter().any(is_below);
    (is_protected && !is_allowed).then(|| {
        format!(
            "is protected: an agent cannot give itself labels of {domain}; give it with `skep label node` or by the node's pool"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_says_what_its_machine_is_and_not_what_it_is_trusted_with() {
        for (key, value) in [
            ("disk", "fast"),
            ("example.com/rack", "r1"),
            (POOL, "gpu"),
            (ZONE, "a"),
            (HOSTNAME, "n1"),
            ("node.kubernetes.io/anything", "x"),
            ("notkubernetes.io/x", "x"),
        ] {
            assert_eq!(problem(key, value), None, "{key}");
        }
        for key in [
            "node-restriction.kubernetes.io/secrets",
            "node-role.kubernetes.io/control-plane",
            "kubernetes.io/anything",
            "skep.io/tier",
            "x.skep.io/y",
            "x.k8s.io/y",
        ] {
            assert!(
                problem(key, "x").is_some_and(|why| why.contains("protected")),
                "{key}"
            );
        }
        assert!(problem("bad key", "x").is_some() && problem("disk", "-").is_some());
    }
}
