//! Priority classes, budgets, quotas, limits, tiers and pools as rows.

use skep_api::{
    IntOrString, LimitRange, NodePool, PodDisruptionBudget, PriorityClass, ResourceQuota, Time,
    UnsatisfiableConstraintAction, WorkloadTier,
};

use super::{AGE, Column, NAME, shown, wide};
use crate::render::{
    age::age,
    cells::{or_none, usage},
};

pub(super) const PRIORITY_CLASS_COLUMNS: &[Column] = &[
    NAME,
    shown("VALUE", "integer", "The priority of its pods."),
    shown(
        "GLOBAL-DEFAULT",
        "boolean",
        "Whether pods that name no class are of it.",
    ),
    AGE,
    shown(
        "PREEMPTIONPOLICY",
        "string",
        "Whether its pods may take the place of others.",
    ),
];

pub(super) fn priority_class_row(class: &PriorityClass, now: Time) -> Vec<String> {
    vec![
        class.metadata.name.clone(),
        class.value.to_string(),
        class.global_default.to_string(),
        age(now, class.metadata.creation_timestamp),
        format!("{:?}", class.preemption_policy.unwrap_or_default()),
    ]
}

pub(super) const BUDGET_COLUMNS: &[Column] = &[
    NAME,
    shown("MIN AVAILABLE", "string", "How many pods must stay healthy."),
    shown("MAX UNAVAILABLE", "string", "How many pods may be away."),
    shown(
        "ALLOWED DISRUPTIONS",
        "integer",
        "How many more may be evicted now.",
    ),
    AGE,
];

pub(super) fn budget_row(budget: &PodDisruptionBudget, now: Time) -> Vec<String> {
    let bound = |bound: &Option<IntOrString>| bound.as_ref().map_or("N/A".to_owned(), ToString::to_string);
    vec![
        budget.metadata.name.clone(),
        bound(&budget.spec.min_available),
        bound(&budget.spec.max_unavailable),
        budget.status.disruptions_allowed.to_string(),
        age(now, budget.metadata.creation_timestamp),
    ]
}

pub(super) const QUOTA_COLUMNS: &[Column] = &[
    NAME,
    shown(
        "REQUEST",
        "string",
        "What there is of requests and objects, of what there may be.",
    ),
    shown(
        "LIMIT",
        "string",
        "What there is of limits, of what there may be.",
    ),
    AGE,
];

pub(super) fn quota_row(quota: &ResourceQuota, now: Time) -> Vec<String> {
    let list = |limits: bool| {
        let names = quota
            .spec
            .hard
            .iter()
            .filter(|(name, _)| name.starts_with("limits.") == limits);
        let texts = names.map(|(name, hard)| format!("{name}: {}", usage(&quota.status.used, name, hard)));
        texts.collect::<Vec<_>>().join(", ")
    };
    vec![
        quota.metadata.name.clone(),
        list(false),
        list(true),
        age(now, quota.metadata.creation_timestamp),
    ]
}

pub(super) const LIMIT_RANGE_COLUMNS: &[Column] =
    &[NAME, shown("CREATED AT", "date", "When it was created.")];

pub(super) fn limit_range_row(range: &LimitRange) -> Vec<String> {
    let created = range.metadata.creation_timestamp.map(|time| time.to_string());
    vec![range.metadata.name.clone(), or_none(created.unwrap_or_default())]
}

pub(super) const TIER_COLUMNS: &[Column] = &[
    NAME,
    shown("PRIORITY-CLASS", "string", "The priority class of its pods."),
    shown("POOL", "string", "The pool of nodes of its pods."),
    shown(
        "BUDGET",
        "string",
        "The disruption budget of each of its workloads.",
    ),
    shown("SPREAD", "string", "How the pods of a workload are spread."),
    shown("REQUESTS", "string", "Requests as a share of limits."),
    AGE,
    wide("DESCRIPTION", "string", "What it is for."),
];

pub(super) fn tier_row(tier: &WorkloadTier, now: Time) -> Vec<String> {
    let spec = &tier.spec;
    vec![
        tier.metadata.name.clone(),
        or_none(&spec.priority_class_name),
        or_none(&spec.node_pool),
        or_none(tier_budget(tier)),
        or_none(tier_spread(tier)),
        or_none(
            spec.requests_percent_of_limits
                .map_or(String::new(), |percent| format!("{percent}%")),
        ),
        age(now, tier.metadata.creation_timestamp),
        or_none(&spec.description),
    ]
}

/// `maxUnavailable=1`; empty where the tier has none.
pub(crate) fn tier_budget(tier: &WorkloadTier) -> String {
    let budget = tier.spec.disruption_budget.clone().unwrap_or_default();
    match (budget.min_available, budget.max_unavailable) {
        (Some(min), _) => format!("minAvailable={min}"),
        (None, Some(max)) => format!("maxUnavailable={max}"),
        (None, None) => String::new(),
    }
}

/// `zone (required)`; empty where the tier says nothing of it.
pub(crate) fn tier_spread(tier: &WorkloadTier) -> String {
    tier.spec.spread.as_ref().map_or(String::new(), |spread| {
        let topology = spread.topology_key.rsplit('/').next().unwrap_or_default();
        let how = match spread.when_unsatisfiable {
            UnsatisfiableConstraintAction::DoNotSchedule => "required",
            UnsatisfiableConstraintAction::ScheduleAnyway => "preferred",
        };
        format!("{topology} ({how})")
    })
}

pub(super) const POOL_COLUMNS: &[Column] = &[
    NAME,
    shown("NODES", "integer", "How many nodes it has."),
    shown("READY", "integer", "How many of them are ready."),
    shown("ZONES", "string", "The zones its nodes are in."),
    shown("MIN/ZONE", "integer", "The fewest nodes in each zone."),
    shown("MAX/ZONE", "string", "The most nodes in each zone."),
    shown("PRICE/H", "string", "What a node costs an hour."),
    shown("SCORING", "string", "How pods are distributed over its nodes."),
    AGE,
    wide("DESCRIPTION", "string", "What it is for."),
];

pub(super) fn pool_row(pool: &NodePool, now: Time) -> Vec<String> {
    let (spec, status) = (&pool.spec, &pool.status);
    let zones = status.nodes_by_zone.keys().filter(|zone| !zone.is_empty());
    let zones: Vec<&str> = match spec.zones.is_empty() {
        true => zones.map(String::as_str).collect(),
        false => spec.zones.iter().map(String::as_str).collect(),
    };
    vec![
        pool.metadata.name.clone(),
        status.nodes.to_string(),
        status.ready_nodes.to_string(),
        or_none(zones.join(",")),
        spec.min_per_zone.to_string(),
        or_none(spec.max_per_zone.map_or(String::new(), |most| most.to_string())),
        or_none(spec.price_per_hour.map_or(String::new(), |price| price.decimal())),
        or_none(
            spec.scoring
                .map_or(String::new(), |scoring| format!("{scoring:?}")),
        ),
        age(now, pool.metadata.creation_timestamp),
        or_none(&spec.description),
    ]
}
