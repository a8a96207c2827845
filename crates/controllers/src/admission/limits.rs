//! The limit ranges of a namespace: defaults of containers, and bounds of containers and pods.

use skep_api::{
    Container, FieldError, LimitRange, LimitRangeItem, LimitType, Pod, Quantity, Reason, ResourceList,
    ResourceRequirements,
};
use skep_state::State;

fn items<'a>(
    state: &'a State,
    namespace: &'a str,
    r#type: LimitType,
) -> impl Iterator<Item = &'a LimitRangeItem> {
    named_items(state, namespace, r#type).map(|(_, item)| item)
}

/// The same with the names of their limit ranges.
fn named_items<'a>(
    state: &'a State,
    namespace: &'a str,
    r#type: LimitType,
) -> impl Iterator<Item = (&'a str, &'a LimitRangeItem)> {
    let ranges = state.list::<LimitRange>(Some(namespace));
    let named = |range: &'a LimitRange| {
        let items = range.spec.limits.iter();
        items.map(|item| (range.metadata.name.as_str(), item))
    };
    ranges
        .flat_map(named)
        .filter(move |(_, item)| item.r#type == r#type)
}

fn containers(pod: &mut Pod) -> impl Iterator<Item = &mut Container> {
    let spec = &mut *pod.spec;
    spec.init_containers.iter_mut().chain(&mut spec.containers)
}

/// Gives containers that state no limit the default one.
pub(super) fn default_limits(state: &State, pod: &mut Pod) {
    let namespace = pod.metadata.namespace.clone();
    for item in items(state, &namespace, LimitType::Container) {
        for container in containers(pod) {
            let resources = &mut container.resources;
            for (name, amount) in &item.default {
                // A limit below what the container asks for would make it impossible.
                let fits = resources
                    .requests
                    .get(name)
                    .is_none_or(|request| request <= amount);
                if fits {
                    resources.limits.entry(name.clone()).or_insert(*amount);
                }
            }
        }
    }
}

/// Gives containers that state no request the default one, or their limit where that is less.
pub(super) fn default_requests(state: &State, pod: &mut Pod) {
    let namespace = pod.metadata.namespace.clone();
    for item in items(state, &namespace, LimitType::Container) {
        for container in containers(pod) {
            let resources = &mut container.resources;
            for (name, amount) in &item.default_request {
                let least = resources
                    .limits
                    .get(name)
                    .map_or(*amount, |limit| (*limit).min(*amount));
                resources.requests.entry(name.clone()).or_insert(least);
            }
        }
    }
}

/// What of the pod is beyond the bounds.
pub(super) fn check(state: &State, pod: &Pod) -> Vec<FieldError> {
    let namespace = &pod.metadata.namespace;
    let mut errors = Vec::new();
    for (range, item) in named_items(state, namespace, LimitType::Container) {
        for (list, containers) in [
            ("initContainers", &pod.spec.init_containers),
            ("containers", &pod.spec.containers),
        ] {
            for (index, container) in containers.iter().enumerate() {
                let path = format!("spec.{list}[{index}].resources");
                errors.extend(beyond(range, item, &container.resources, &path));
            }
        }
    }
    for (range, item) in named_items(state, namespace, LimitType::Pod) {
        let whole = ResourceRequirements {
            requests: pod.spec.requests(),
            limits: pod.spec.limits(),
        };
        errors.extend(beyond(range, item, &whole, "spec"));
    }
    errors
}

fn beyond(
    range: &str,
    item: &LimitRangeItem,
    resources: &ResourceRequirements,
    path: &str,
) -> Vec<FieldError> {
    let what = item.r#type;
    let error = |message: String| {
        FieldError::new(
            path,
            Reason::Forbidden,
            format!("{message} (limit range {range})"),
        )
    };
    let mut errors = Vec::new();
    for (name, least) in &item.min {
        match stated(resources, name) {
            (None, None) => errors.push(error(format!(
                "minimum {name} usage per {what:?} is {least}. No request is specified"
            ))),
            (Some(request), _) if request < *least => errors.push(error(format!(
                "minimum {name} usage per {what:?} is {least}, but request is {request}"
            ))),
            _ => {}
        }
    }
    for (name, most) in &item.max {
        match stated(resources, name) {
            (_, None) => errors.push(error(format!(
                "maximum {name} usage per {what:?} is {most}. No limit is specified"
            ))),
            (_, Some(limit)) if limit > *most => errors.push(error(format!(
                "maximum {name} usage per {what:?} is {most}, but limit is {limit}"
            ))),
            _ => {}
        }
    }
    errors.extend(
        ratios(&item.max_limit_request_ratio, resources).map(|(name, most, ratio)| {
            error(format!(
                "{name} max limit to request ratio per {what:?} is {most}, but provided ratio is {ratio}"
            ))
        }),
    );
    errors
}

/// Request and limit; the limit stands in for a request that is not stated.
fn stated(resources: &ResourceRequirements, name: &str) -> (Option<Quantity>, Option<Quantity>) {
    let limit = resources.limits.get(name).copied();
    (resources.requests.get(name).copied().or(limit), limit)
}

fn ratios<'a>(
    most: &'a ResourceList,
    resources: &'a ResourceRequirements,
) -> impl Iterator<Item = (&'a str, Quantity, String)> {
    most.iter().filter_map(|(name, most)| {
        let (request, limit) = stated(resources, name);
        let ratio = match (request, limit) {
            (Some(request), Some(limit)) if !request.is_zero() => limit.ratio(&request),
            _ => {
                return Some((
                    name.as_str(),
                    *most,
                    "unknown: state request and limit".to_owned(),
                ));
            }
        };
        let allowed = most.ratio(&Quantity::from_units(1));
        (ratio > allowed + 1e-9).then(|| (name.as_str(), *most, format!("{ratio:.2}")))
    })
}
