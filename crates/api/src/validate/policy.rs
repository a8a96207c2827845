//! Disruption budgets, tiers, pools and priority classes.

use crate::{
    IntOrString, NodePool, PodDisruptionBudget, PriorityClass, Reason, WorkloadTier, errors::Errors, names,
    path::Path,
};

use super::{meta, node, selector, workload};

/// Checks a disruption budget, whose spec is found at `path`.
pub(super) fn budget(budget: &PodDisruptionBudget, path: &Path<'_>, errors: &mut Errors) {
    let spec = &budget.spec;
    bounds(
        spec.min_available.as_ref(),
        spec.max_unavailable.as_ref(),
        path,
        errors,
    );
    if let Some(wanted) = &spec.selector {
        selector::check(wanted, &path.field("selector"), errors);
    }
}

/// One of both, a count or a percentage of at most 100%.
fn bounds(min: Option<&IntOrString>, max: Option<&IntOrString>, path: &Path<'_>, errors: &mut Errors) {
    if min.is_some() && max.is_some() {
        errors.invalid(
            path,
            "minAvailable and maxUnavailable exclude each other: write one of them",
        );
    }
    for (field, value) in [("minAvailable", min), ("maxUnavailable", max)] {
        let Some(value) = value else { continue };
        let path = path.field(field);
        workload::count(value, &path, errors);
        if value.percent().is_some_and(|percent| percent > 100) {
            errors.invalid(&path, format!("{value} is more than 100%"));
        }
    }
}

/// Checks a tier, whose spec is found at `path`.
pub(super) fn tier(tier: &WorkloadTier, path: &Path<'_>, errors: &mut Errors) {
    let spec = &tier.spec;
    let name = &tier.metadata.name;
    errors.about(
        &Path::ROOT.field("metadata").field("name"),
        name,
        names::label_value(name),
    );
    if let Some(budget) = &spec.disruption_budget {
        let path = path.field("disruptionBudget");
        let (min, max) = (budget.min_available.as_ref(), budget.max_unavailable.as_ref());
        if min.is_none() && max.is_none() {
            errors.required(
                &path,
                "is empty; write minAvailable or maxUnavailable, or leave it out",
            );
        }
        bounds(min, max, &path, errors);
    }
    if let Some(spread) = &spec.spread {
        let path = path.field("spread");
        let key = path.field("topologyKey");
        if spread.topology_key.is_empty() {
            errors.required(&key, "is missing; write for example topology.kubernetes.io/zone");
        } else {
            errors.about(
                &key,
                &spread.topology_key,
                names::qualified_name(&spread.topology_key),
            );
        }
        meta::between(
            spread.max_skew,
            1,
            i32::MAX.into(),
            &path.field("maxSkew"),
            errors,
        );
    }
    for (field, name) in [
        ("priorityClassName", &spec.priority_class_name),
        ("nodePool", &spec.node_pool),
    ] {
        if !name.is_empty() {
            errors.about(&path.field(field), name, names::dns_subdomain(name));
        }
    }
    if let Some(percent) = spec.requests_percent_of_limits {
        meta::between(percent, 1, 100, &path.field("requestsPercentOfLimits"), errors);
    }
}

/// Checks a pool, whose spec is found at `path`.
pub(super) fn pool(pool: &NodePool, path: &Path<'_>, errors: &mut Errors) {
    let spec = &pool.spec;
    let name = &pool.metadata.name;
    errors.about(
        &Path::ROOT.field("metadata").field("name"),
        name,
        names::label_value(name),
    );
    let labels = path.field("labels");
    meta::labels(&spec.labels, &labels, errors);
    if spec.labels.contains_key(crate::well_known::POOL) {
        errors.forbidden(
            &labels.key(crate::well_known::POOL),
            "must be left out: it is what makes a node a member of a pool",
        );
    }
    node::taints(&spec.taints, &path.field("taints"), errors);
    let zones = path.field("zones");
    for (index, zone) in spec.zones.iter().enumerate() {
        meta::required(zone, &zones.index(index), errors);
        errors.about(&zones.index(index), zone, names::label_value(zone));
        if spec.zones[..index].contains(zone) {
            errors.duplicate(&zones.index(index), zone);
        }
    }
    if let Some(price) = spec.price_per_hour.filter(crate::Quantity::is_negative) {
        errors.invalid(&path.field("pricePerHour"), format!("{price} is below 0"));
    }
    meta::non_negative(spec.min_per_zone, &path.field("minPerZone"), errors);
    if let Some(most) = spec.max_per_zone {
        meta::non_negative(most, &path.field("maxPerZone"), errors);
        if most < spec.min_per_zone {
            let message = format!("{most} is less than minPerZone, which is {}", spec.min_per_zone);
            errors.invalid(&path.field("maxPerZone"), message);
        }
    }
}

/// Checks a priority class.
pub(super) fn priority_class(class: &PriorityClass, path: &Path<'_>, errors: &mut Errors) {
    let name = class.metadata.name.as_str();
    let own = [PriorityClass::CLUSTER_CRITICAL, PriorityClass::NODE_CRITICAL].contains(&name);
    if name.starts_with(PriorityClass::SYSTEM_PREFIX) && !own {
        let message = "names that begin with system- are the cluster's own: choose another one";
        errors.push(&path.field("metadata").field("name"), Reason::Forbidden, message);
    }
    if class.value > PriorityClass::VALUE_MAX && !own {
        let message = format!(
            "{} is more than {}, above which are the cluster's own classes",
            class.value,
            PriorityClass::VALUE_MAX
        );
        errors.invalid(&path.field("value"), message);
    }
}
