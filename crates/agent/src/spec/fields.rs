//! Fields of a pod and resources of its containers as text, for variables and files.

use std::collections::BTreeMap;

use skep_api::{Container, Pod, Quantity, ResourceFieldSelector};

use super::Facts;

/// Why a field has no text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// There is no such field to ask for.
    #[error("unsupported fieldPath: {0}")]
    Path(String),
    /// There is no such resource to ask for.
    #[error("unsupported container resource: {0}")]
    Resource(String),
    /// The pod has no such container.
    #[error("container {0} not found")]
    Container(String),
}

/// The field's text; an absent label or annotation is the empty text.
pub(crate) fn pod_field(pod: &Pod, facts: &Facts, path: &str) -> Result<String, FieldError> {
    let meta = &pod.metadata;
    if let Some((map, key)) = path.strip_suffix("']").and_then(|path| path.split_once("['")) {
        return match map {
            "metadata.labels" => Ok(meta.labels.get(key).cloned().unwrap_or_default()),
            "metadata.annotations" => Ok(meta.annotations.get(key).cloned().unwrap_or_default()),
            _ => Err(FieldError::Path(path.to_owned())),
        };
    }
    Ok(match path {
        "metadata.name" => meta.name.clone(),
        "metadata.namespace" => meta.namespace.clone(),
        "metadata.uid" => meta.uid.clone(),
        "metadata.labels" => lines(&meta.labels),
        "metadata.annotations" => lines(&meta.annotations),
        "spec.nodeName" => facts.node_name.clone(),
        "status.hostIP" | "status.hostIPs" => facts.host_ip.clone(),
        "status.podIP" | "status.podIPs" => facts.pod_ip(pod.spec.host_network),
        _ => return Err(FieldError::Path(path.to_owned())),
    })
}

/// The resource in units of the divisor, rounded up. A limit that is not stated is what the node has to give.
pub(crate) fn resource_field(
    pod: &Pod,
    asking: Option<&Container>,
    facts: &Facts,
    selector: &ResourceFieldSelector,
) -> Result<String, FieldError> {
    let named = || {
        let all = pod.spec.containers.iter().chain(&pod.spec.init_containers);
        all.clone()
            .find(|container| container.name == selector.container_name)
    };
    let container = match asking {
        Some(container) if selector.container_name.is_empty() => container,
        _ => named().ok_or_else(|| FieldError::Container(selector.container_name.clone()))?,
    };
    let unknown = || FieldError::Resource(selector.resource.clone());
    let (list, resource) = selector.resource.split_once('.').ok_or_else(unknown)?;
    if !matches!(resource, "cpu" | "memory" | "ephemeral-storage") && !resource.starts_with("hugepages-") {
        return Err(unknown());
    }
    let resources = &container.resources;
    let amount = match list {
        "limits" => resources
            .limits
            .get(resource)
            .or_else(|| facts.allocatable.get(resource)),
        "requests" => resources
            .requests
            .get(resource)
            .or_else(|| resources.limits.get(resource)),
        _ => return Err(unknown()),
    };
    let divisor = selector
        .divisor
        .filter(|divisor| !divisor.is_zero())
        .unwrap_or(Quantity::from_units(1));
    Ok(divide(amount.copied().unwrap_or_default(), divisor).to_string())
}

fn divide(amount: Quantity, divisor: Quantity) -> i128 {
    // Whole units of memory overflow as thousandths, and thousandths of a CPU vanish as whole units.
    let (amount, divisor) = match (amount.units(), divisor.units()) {
        (units, by) if divisor == Quantity::from_units(by) && units > i64::MAX / 1000 => (units, by),
        _ => (amount.millis(), divisor.millis()),
    };
    let (amount, divisor) = (i128::from(amount), i128::from(divisor.max(1)));
    amount.div_euclid(divisor) + i128::from(amount.rem_euclid(divisor) != 0)
}

/// `key="value"` lines in the order of the keys.
fn lines(map: &BTreeMap<String, String>) -> String {
    let lines: Vec<String> = map
        .iter()
        .map(|(key, value)| format!("{key}={value:?}"))
        .collect();
    lines.join("\n")
}
