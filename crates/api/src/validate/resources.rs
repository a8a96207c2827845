//! Requests and limits.

use crate::{
    Container, PodSpec, Quantity, Reason, ResourceList, ResourceRequirements, errors::Errors, names,
    path::Path,
};

/// Resources that skep knows by itself.
const STANDARD: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];

/// Resources that a pod may ask for as a whole.
const OF_POD: [&str; 2] = ["cpu", "memory"];

/// Checks what the pod as a whole needs and may use, beside its containers; and its overhead.
pub(super) fn of_pod(spec: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    let overhead = path.field("overhead");
    list(spec.overhead.iter(), &overhead, errors);
    let path = path.field("resources");
    requirements(&spec.resources, &path, errors);
    let (requests, limits) = (path.field("requests"), path.field("limits"));
    let named = spec.resources.requests.keys().map(|name| (&requests, name));
    let named = named.chain(spec.resources.limits.keys().map(|name| (&limits, name)));
    for (path, name) in named.filter(|(_, name)| !OF_POD.contains(&name.as_str())) {
        let message =
            format!("`{name}` may be stated for containers only; a pod as a whole has cpu and memory");
        errors.invalid(&path.key(name), message);
    }
    let of_containers = spec.container_requests();
    for (name, request) in &spec.resources.requests {
        if let Some(needed) = of_containers.get(name).filter(|needed| *needed > request) {
            let message = format!("{request} is less than the {needed} that its containers ask for");
            errors.invalid(&requests.key(name), message);
        }
    }
    for (name, limit) in &spec.resources.limits {
        let of_containers = spec
            .all_containers()
            .filter_map(|one| one.resources.limits.get(name));
        if let Some(more) = of_containers.max().filter(|more| *more > limit) {
            let message = format!("{limit} is less than the limit of {more} that a container has");
            errors.invalid(&limits.key(name), message);
        }
        let bounded = |container: &Container| container.resources.limits.get(name).copied();
        let sum: Option<Quantity> =
            spec.containers
                .iter()
                .map(bounded)
                .try_fold(Quantity::default(), |sum, own| {
                    let mut sum = sum;
                    sum += own?;
                    Some(sum)
                });
        if spec.containers.len() > 1 && sum.is_none_or(|sum| sum > *limit) {
            let message = format!(
                "is held by skep container by container: give each of them a limit, {limit} together at most"
            );
            errors.push(&limits.key(name), Reason::NotImplemented, message);
        }
    }
}

/// Checks what a container needs and may use.
pub(super) fn requirements(resources: &ResourceRequirements, path: &Path<'_>, errors: &mut Errors) {
    let (requests, limits) = (path.field("requests"), path.field("limits"));
    // Requests that repeat the limit were most likely taken from it: one message is enough.
    let own = |(name, request): &(&String, &Quantity)| resources.limits.get(*name) != Some(*request);
    list(resources.requests.iter().filter(own), &requests, errors);
    list(resources.limits.iter(), &limits, errors);
    for (name, request) in &resources.requests {
        match resources.limits.get(name) {
            Some(limit) if is_extended(name) && limit != request => {
                errors.invalid(
                    &requests.key(name),
                    format!("{request} must equal the limit of {limit}"),
                );
            }
            Some(limit) if request > limit => {
                errors.invalid(
                    &requests.key(name),
                    format!("{request} is more than the limit of {limit}"),
                );
            }
            None if is_extended(name) => {
                errors.required(
                    &limits.key(name),
                    "is missing; an extended resource needs a limit equal to its request",
                );
            }
            _ => {}
        }
    }
}

fn list<'a>(amounts: impl Iterator<Item = (&'a String, &'a Quantity)>, path: &Path<'_>, errors: &mut Errors) {
    for (name, amount) in amounts {
        let path = path.key(name);
        if let Some(problem) = resource_name(name) {
            errors.invalid(&path, problem);
        }
        if amount.is_negative() {
            errors.invalid(&path, format!("{amount} is below 0"));
        } else if is_extended(name) && amount.millis() % 1000 != 0 {
            errors.invalid(
                &path,
                format!("{amount} is not a whole number; extended resources are counted in wholes"),
            );
        }
    }
}

/// Checks what a node has: any name, nothing below nothing.
pub(super) fn amounts(amounts: &ResourceList, path: &Path<'_>, errors: &mut Errors) {
    for (name, amount) in amounts {
        if amount.is_negative() {
            errors.invalid(&path.key(name), format!("{amount} is below 0"));
        }
    }
}

/// `example.com/gpu`: counted, and named by whoever brings it.
fn is_extended(name: &str) -> bool {
    name.contains('/')
}

fn resource_name(name: &str) -> Option<String> {
    if STANDARD.contains(&name) {
        return None;
    }
    if name.starts_with("hugepages-") {
        return Some("is not implemented by skep".to_owned());
    }
    if !is_extended(name) {
        let known = STANDARD.join(", ");
        return Some(format!(
            "is not a resource: write one of {known}, or a name such as example.com/gpu"
        ));
    }
    names::qualified_name(name).map(|problem| format!("`{name}` {problem}"))
}
