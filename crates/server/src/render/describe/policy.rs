//! Priority classes, budgets, quotas, limits, tiers and pools.

use std::collections::BTreeSet;

use skep_api::{
    Condition, Deployment, LimitRange, Node, NodePool, PodDisruptionBudget, PriorityClass, Quantity,
    ReplicaSet, ResourceList, ResourceQuota, WorkloadTier, well_known,
};
use skep_state::State;

use super::{labels, names, page::Page};
use crate::render::{
    cells::{NONE, or_none, selector},
    table::{tier_budget, tier_spread},
};

pub(super) fn priority_class(page: &mut Page, class: &PriorityClass) {
    names(page, &class.metadata);
    page.field(0, "Value", class.value.to_string());
    page.field(0, "GlobalDefault", class.global_default.to_string());
    page.field(
        0,
        "PreemptionPolicy",
        format!("{:?}", class.preemption_policy.unwrap_or_default()),
    );
    page.field(0, "Description", or_none(&class.description));
    labels(page, 0, &class.metadata);
}

pub(super) fn budget(page: &mut Page, budget: &PodDisruptionBudget) {
    let (spec, status) = (&budget.spec, &budget.status);
    names(page, &budget.metadata);
    super::controlled_by(page, &budget.metadata);
    if let Some(min) = &spec.min_available {
        page.field(0, "Min available", min.to_string());
    }
    if let Some(max) = &spec.max_unavailable {
        page.field(0, "Max unavailable", max.to_string());
    }
    page.field(
        0,
        "Selector",
        spec.selector.as_ref().map_or(NONE.to_owned(), selector),
    );
    page.heading(0, "Status");
    page.field(1, "Allowed disruptions", status.disruptions_allowed.to_string());
    page.field(1, "Current", status.current_healthy.to_string());
    page.field(1, "Desired", status.desired_healthy.to_string());
    page.field(1, "Total", status.expected_pods.to_string());
    conditions(page, &status.conditions);
}

pub(super) fn quota(page: &mut Page, quota: &ResourceQuota) {
    names(page, &quota.metadata);
    let scopes = quota.spec.scopes.iter().map(|scope| format!("{scope:?}"));
    let selected = quota
        .spec
        .scope_selector
        .iter()
        .flat_map(|selector| &selector.match_expressions);
    let selected = selected.map(|one| {
        format!("{:?} {:?} {}", one.scope_name, one.operator, one.values.join(","))
            .trim_end()
            .to_owned()
    });
    let scopes: Vec<String> = scopes.chain(selected).collect();
    if !scopes.is_empty() {
        page.list(0, "Scopes", scopes);
    }
    let row = |(name, hard): (&String, &Quantity)| {
        let used = quota.status.used.get(name).copied().unwrap_or_default();
        vec![name.clone(), used.to_string(), hard.to_string()]
    };
    page.table(0, &["Resource", "Used", "Hard"], quota.spec.hard.iter().map(row));
    conditions(page, &quota.status.conditions);
}

fn conditions(page: &mut Page, conditions: &[Condition]) {
    for condition in conditions {
        let text = format!("{:?}: {}", condition.status, condition.message);
        page.field(0, &condition.r#type, text);
    }
}

pub(super) fn limit_range(page: &mut Page, range: &LimitRange) {
    names(page, &range.metadata);
    let mut rows = Vec::new();
    for item in &range.spec.limits {
        let lists = [
            &item.min,
            &item.max,
            &item.default_request,
            &item.default,
            &item.max_limit_request_ratio,
        ];
        let resources: BTreeSet<&String> = lists.iter().flat_map(|list| list.keys()).collect();
        let cell =
            |list: &ResourceList, name: &str| list.get(name).map_or("-".to_owned(), ToString::to_string);
        rows.extend(resources.into_iter().map(|name| {
            let mut row = vec![format!("{:?}", item.r#type), name.clone()];
            row.extend(lists.iter().map(|list| cell(list, name)));
            row
        }));
    }
    let header = [
        "Type",
        "Resource",
        "Min",
        "Max",
        "Default Request",
        "Default Limit",
        "Max Limit/Request Ratio",
    ];
    page.table(0, &header, rows);
}

pub(super) fn tier(page: &mut Page, state: &State, tier: &WorkloadTier) {
    let spec = &tier.spec;
    names(page, &tier.metadata);
    labels(page, 0, &tier.metadata);
    page.field_if(0, "Description", &spec.description);
    page.field(0, "Disruption Budget", or_none(tier_budget(tier)));
    page.field(0, "Spread", or_none(tier_spread(tier)));
    page.field(0, "Priority Class", or_none(&spec.priority_class_name));
    page.field(0, "Node Pool", or_none(&spec.node_pool));
    let share = spec.requests_percent_of_limits;
    page.field(
        0,
        "Requests",
        or_none(share.map_or(String::new(), |percent| format!("{percent}% of limits"))),
    );
    page.list(0, "Workloads", workloads(state, &tier.metadata.name));
}

/// `namespace/deployment/web`, for each workload of the tier.
fn workloads(state: &State, tier: &str) -> Vec<String> {
    let deployments = state.list::<Deployment>(None).filter(|deployment| {
        deployment
            .spec
            .template
            .metadata
            .labels
            .get(well_known::TIER)
            .is_some_and(|label| label == tier)
    });
    let sets = state.list::<ReplicaSet>(None).filter(|set| {
        set.metadata.controller().is_none()
            && set
                .spec
                .template
                .metadata
                .labels
                .get(well_known::TIER)
                .is_some_and(|label| label == tier)
    });
    let deployments =
        deployments.map(|one| format!("{}/deployment/{}", one.metadata.namespace, one.metadata.name));
    let sets = sets.map(|one| format!("{}/replicaset/{}", one.metadata.namespace, one.metadata.name));
    deployments.chain(sets).collect()
}

pub(super) fn pool(page: &mut Page, state: &State, pool: &NodePool) {
    let (spec, status) = (&pool.spec, &pool.status);
    names(page, &pool.metadata);
    labels(page, 0, &pool.metadata);
    page.field_if(0, "Description", &spec.description);
    page.list(
        0,
        "Node Labels",
        spec.labels.iter().map(|(key, value)| format!("{key}={value}")),
    );
    page.list(0, "Node Taints", spec.taints.iter().map(super::node::taint));
    page.field(0, "Zones", or_none(spec.zones.join(", ")));
    page.field(
        0,
        "Price per Hour",
        or_none(spec.price_per_hour.map_or(String::new(), |price| price.decimal())),
    );
    page.field(0, "Minimum per Zone", spec.min_per_zone.to_string());
    page.field(
        0,
        "Maximum per Zone",
        or_none(spec.max_per_zone.map_or(String::new(), |most| most.to_string())),
    );
    page.field(
        0,
        "Scoring",
        or_none(
            spec.scoring
                .map_or(String::new(), |scoring| format!("{scoring:?}")),
        ),
    );
    page.field(
        0,
        "Nodes",
        format!("{} ({} ready)", status.nodes, status.ready_nodes),
    );
    for (zone, count) in &status.nodes_by_zone {
        let zone = if zone.is_empty() { "no zone" } else { zone };
        page.field(1, zone, count.to_string());
    }
    let members = state
        .list::<Node>(None)
        .filter(|node| node.metadata.labels.get(well_known::POOL) == Some(&pool.metadata.name));
    page.list(0, "Members", members.map(|node| &node.metadata.name));
    conditions(page, &status.conditions);
}
