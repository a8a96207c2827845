//! Quotas and limit ranges.

use std::collections::BTreeSet;

use crate::{
    Kind, LimitRange, LimitRangeItem, LimitType, Quantity, ResourceList, ResourceQuota, ResourceQuotaScope,
    ScopeSelectorOperator, errors::Errors, names, path::Path,
};

use super::resources;

/// What pods ask for, as a quota names it besides `requests.` and `limits.` of the same.
const COMPUTE: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];

/// Objects that are counted by a name without `count/`.
const COUNTED: [&str; 4] = ["pods", "configmaps", "secrets", "resourcequotas"];

/// Checks a quota, whose spec is found at `path`.
pub(super) fn quota(quota: &ResourceQuota, path: &Path<'_>, errors: &mut Errors) {
    let hard = path.field("hard");
    resources::amounts(&quota.spec.hard, &hard, errors);
    for name in quota.spec.hard.keys() {
        if let Some(problem) = unknown(name) {
            errors.invalid(&hard.key(name), problem);
        }
    }
    let scopes = path.field("scopes");
    for (index, scope) in quota.spec.scopes.iter().enumerate() {
        if quota.spec.scopes[..index].contains(scope) {
            errors.duplicate(&scopes.index(index), &format!("{scope:?}"));
        }
    }
    scoped(quota, path, errors);
    let selector = path.field("scopeSelector");
    let list = selector.field("matchExpressions");
    let requirements = quota
        .spec
        .scope_selector
        .iter()
        .flat_map(|s| &s.match_expressions);
    for (index, requirement) in requirements.enumerate() {
        let place = list.index(index);
        let lists = matches!(
            requirement.operator,
            ScopeSelectorOperator::In | ScopeSelectorOperator::NotIn
        );
        if requirement.scope_name != ResourceQuotaScope::PriorityClass
            && requirement.operator != ScopeSelectorOperator::Exists
        {
            let message = "must be Exists for scopes other than PriorityClass";
            errors.invalid(&place.field("operator"), message);
        } else if lists == requirement.values.is_empty() {
            let message = if lists {
                "is missing; In and NotIn need at least one priority class"
            } else {
                "must be left out for Exists and DoesNotExist"
            };
            errors.invalid(&place.field("values"), message);
        }
    }
}

/// A quota with scopes is about pods alone.
fn scoped(quota: &ResourceQuota, path: &Path<'_>, errors: &mut Errors) {
    let spec = &quota.spec;
    let selectors = spec.scope_selector.iter().flat_map(|s| &s.match_expressions);
    let scopes: BTreeSet<_> = spec
        .scopes
        .iter()
        .copied()
        .chain(selectors.map(|one| one.scope_name))
        .collect();
    for (one, other) in [
        (
            ResourceQuotaScope::Terminating,
            ResourceQuotaScope::NotTerminating,
        ),
        (ResourceQuotaScope::BestEffort, ResourceQuotaScope::NotBestEffort),
    ] {
        if scopes.contains(&one) && scopes.contains(&other) {
            errors.invalid(
                &path.field("scopes"),
                format!("{one:?} and {other:?} exclude each other: no pod would count"),
            );
        }
    }
    let of_pods = |name: &str| name == "pods" || name == "count/pods" || is_compute(name);
    for name in spec
        .hard
        .keys()
        .filter(|name| !scopes.is_empty() && !of_pods(name))
    {
        let message = "cannot be bounded together with scopes, which are about pods";
        errors.invalid(&path.field("hard").key(name), message);
    }
}

fn is_compute(name: &str) -> bool {
    let plain = name
        .strip_prefix("requests.")
        .or_else(|| name.strip_prefix("limits."));
    COMPUTE.contains(&plain.unwrap_or(name)) || plain.is_some_and(|name| name.contains('/'))
}

fn unknown(name: &str) -> Option<String> {
    if let Some(counted) = name.strip_prefix("count/") {
        let kinds = Kind::ALL.into_iter().filter(|kind| kind.namespaced());
        let mut names = kinds.map(Kind::qualified);
        return (!names.any(|known| known == counted)).then(|| {
            format!("`{counted}` is not a kind that can be counted; write for example count/deployments.apps")
        });
    }
    if COUNTED.contains(&name) || is_compute(name) {
        return names::qualified_name(name.rsplit_once("requests.").map_or(name, |(_, name)| name))
            .map(|problem| format!("`{name}` {problem}"));
    }
    Some(
        "is not a resource that can be bounded: write one of cpu, memory, ephemeral-storage, requests.NAME, limits.NAME, \
         pods, configmaps, secrets, or count/KIND such as count/deployments.apps"
            .to_owned(),
    )
}

/// Checks a limit range, whose spec is found at `path`.
pub(super) fn limit_range(range: &LimitRange, path: &Path<'_>, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    let list = path.field("limits");
    for (index, item) in range.spec.limits.iter().enumerate() {
        let path = list.index(index);
        if !seen.insert(item.r#type) {
            errors.duplicate(&path.field("type"), &format!("{:?}", item.r#type));
        }
        limit_item(item, &path, errors);
    }
}

fn limit_item(item: &LimitRangeItem, path: &Path<'_>, errors: &mut Errors) {
    for (field, amounts) in [
        ("max", &item.max),
        ("min", &item.min),
        ("default", &item.default),
        ("defaultRequest", &item.default_request),
        ("maxLimitRequestRatio", &item.max_limit_request_ratio),
    ] {
        resources::amounts(amounts, &path.field(field), errors);
    }
    for (field, amounts) in [
        ("default", &item.default),
        ("defaultRequest", &item.default_request),
    ] {
        if item.r#type == LimitType::Pod && !amounts.is_empty() {
            errors.forbidden(&path.field(field), "must be left out for the type Pod");
        }
    }
    for (small, large) in [
        (("min", &item.min), ("max", &item.max)),
        (("min", &item.min), ("default", &item.default)),
        (("min", &item.min), ("defaultRequest", &item.default_request)),
        (
            ("defaultRequest", &item.default_request),
            ("default", &item.default),
        ),
        (("default", &item.default), ("max", &item.max)),
        (("defaultRequest", &item.default_request), ("max", &item.max)),
    ] {
        ordered(small, large, path, errors);
    }
    let one = Quantity::from_units(1);
    let ratios = path.field("maxLimitRequestRatio");
    for (name, ratio) in item
        .max_limit_request_ratio
        .iter()
        .filter(|(_, ratio)| **ratio < one)
    {
        errors.invalid(&ratios.key(name), format!("{ratio} is less than 1"));
    }
}

fn ordered(
    (small_field, small): (&str, &ResourceList),
    (large_field, large): (&str, &ResourceList),
    path: &Path<'_>,
    errors: &mut Errors,
) {
    for (name, amount) in small {
        if let Some(most) = large.get(name).filter(|most| amount > *most) {
            let message = format!("{amount} is more than {large_field}, which is {most}");
            errors.invalid(&path.field(small_field).key(name), message);
        }
    }
}
