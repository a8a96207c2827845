//! Priority classes, budgets, quotas, tiers and pools: what is accepted, what is refused, and in which words.

use expect_test::{Expect, expect};
use serde_json::{Value, json};
use skep_api::{
    Kind, Object,
    admit::{Validation, decode},
    validate,
};

fn accepted(document: Value) -> Object {
    match decode(document, Validation::Strict) {
        Ok(decoded) => decoded.object,
        Err(errors) => panic!("{errors:?}"),
    }
}

fn refused(document: Value, expected: &Expect) {
    let errors = decode(document, Validation::Strict).expect_err("something is wrong with it");
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    expected.assert_eq(&lines.join("\n"));
}

fn of(kind: Kind, name: &str, body: Value) -> Value {
    let mut document = json!({
        "apiVersion": kind.api_version(), "kind": kind.as_str(), "metadata": { "name": name },
    });
    if let (Value::Object(fields), Value::Object(body)) = (&mut document, body) {
        fields.extend(body);
    }
    document
}

fn spec(kind: Kind, spec: Value) -> Value {
    of(
        kind,
        "one",
        Value::Object([("spec".to_owned(), spec)].into_iter().collect()),
    )
}

#[test]
fn kinds_are_found_by_their_names() {
    for (alias, kind) in [
        ("pdb", Kind::PodDisruptionBudget),
        ("pc", Kind::PriorityClass),
        ("priorityclasses.scheduling.k8s.io", Kind::PriorityClass),
        ("quota", Kind::ResourceQuota),
        ("limits", Kind::LimitRange),
        ("tier", Kind::WorkloadTier),
        ("nodepools.skep.io", Kind::NodePool),
    ] {
        assert_eq!(Kind::from_alias(alias), Some(kind), "{alias}");
    }
}

#[test]
fn everything_of_a_tier_is_taken() {
    let tier = spec(
        Kind::WorkloadTier,
        json!({
            "description": "queues",
            "disruptionBudget": { "maxUnavailable": "10%" },
            "spread": { "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway" },
            "priorityClassName": "high-priority", "nodePool": "general-pool", "requestsPercentOfLimits": 70,
        }),
    );
    let Object::WorkloadTier(tier) = accepted(tier) else {
        panic!()
    };
    assert_eq!(tier.spec.spread.unwrap().max_skew, 1);
}

#[test]
fn a_tier_that_contradicts_itself_is_refused() {
    refused(
        spec(
            Kind::WorkloadTier,
            json!({
                "disruptionBudget": { "minAvailable": 1, "maxUnavailable": "120%" },
                "spread": { "maxSkew": 0 }, "requestsPercentOfLimits": 101,
            }),
        ),
        &expect![[r#"
            spec.disruptionBudget: minAvailable and maxUnavailable exclude each other: write one of them
            spec.disruptionBudget.maxUnavailable: 120% is more than 100%
            spec.spread.topologyKey: is missing; write for example topology.kubernetes.io/zone
            spec.spread.maxSkew: 0 is not between 1 and 2147483647
            spec.requestsPercentOfLimits: 101 is not between 1 and 100"#]],
    );
}

#[test]
fn a_budget_takes_counts_and_percentages_and_nothing_else() {
    accepted(spec(
        Kind::PodDisruptionBudget,
        json!({ "minAvailable": "50%", "selector": {} }),
    ));
    refused(
        spec(
            Kind::PodDisruptionBudget,
            json!({ "minAvailable": -1, "selector": {} }),
        ),
        &expect!["spec.minAvailable: -1 is below 0"],
    );
    refused(
        spec(
            Kind::PodDisruptionBudget,
            json!({ "maxUnavailable": "half", "selector": {} }),
        ),
        &expect!["spec.maxUnavailable: `half` is neither a number nor a percentage such as 25%"],
    );
}

#[test]
fn a_quota_bounds_what_there_is_to_bound() {
    accepted(spec(
        Kind::ResourceQuota,
        json!({
            "hard": { "cpu": 2, "requests.memory": "1Gi", "limits.cpu": 4, "requests.nvidia.com/gpu": 1, "pods": 10 },
            "scopeSelector": { "matchExpressions": [
                { "scopeName": "PriorityClass", "operator": "In", "values": ["high-priority"] },
            ] },
        }),
    ));
    refused(
        spec(
            Kind::ResourceQuota,
            json!({
                "hard": { "cpus": 1, "pods": -1, "secrets": 3, "count/robots": 1 },
                "scopes": ["BestEffort", "NotBestEffort"],
                "scopeSelector": { "matchExpressions": [{ "scopeName": "PriorityClass", "operator": "In" }] },
            }),
        ),
        &expect![[r#"
            spec.hard[pods]: -1 is below 0
            spec.hard[count/robots]: `robots` is not a kind that can be counted; write for example count/deployments.apps
            spec.hard[cpus]: is not a resource that can be bounded: write one of cpu, memory, ephemeral-storage, requests.NAME, limits.NAME, pods, configmaps, secrets, or count/KIND such as count/deployments.apps
            spec.scopes: BestEffort and NotBestEffort exclude each other: no pod would count
            spec.hard[count/robots]: cannot be bounded together with scopes, which are about pods
            spec.hard[cpus]: cannot be bounded together with scopes, which are about pods
            spec.hard[secrets]: cannot be bounded together with scopes, which are about pods
            spec.scopeSelector.matchExpressions[0].values: is missing; In and NotIn need at least one priority class"#]],
    );
}

#[test]
fn a_limit_range_gets_its_defaults_and_has_to_be_in_order() {
    let range =
        json!({ "limits": [{ "type": "Container", "max": { "cpu": 2 }, "min": { "memory": "64Mi" } }] });
    let Object::LimitRange(range) = accepted(spec(Kind::LimitRange, range)) else {
        panic!()
    };
    let item = &range.spec.limits[0];
    assert_eq!(item.default["cpu"], item.max["cpu"]);
    assert_eq!(item.default_request["cpu"], item.max["cpu"]);
    assert_eq!(item.default_request["memory"], item.min["memory"]);
    refused(
        spec(
            Kind::LimitRange,
            json!({ "limits": [
                { "type": "Pod", "min": { "cpu": 3 }, "max": { "cpu": 2 }, "default": { "cpu": 1 } },
                { "type": "Pod", "maxLimitRequestRatio": { "cpu": "500m" } },
            ] }),
        ),
        &expect![[r#"
            spec.limits[0].default: must be left out for the type Pod
            spec.limits[0].min[cpu]: 3 is more than max, which is 2
            spec.limits[0].min[cpu]: 3 is more than default, which is 1
            spec.limits[1].type: `Pod` appears more than once
            spec.limits[1].maxLimitRequestRatio[cpu]: 500m is less than 1"#]],
    );
}

#[test]
fn the_clusters_own_priorities_are_out_of_reach() {
    refused(
        of(
            Kind::PriorityClass,
            "system-mine",
            json!({ "value": 1_000_000_001 }),
        ),
        &expect![[r#"
            metadata.name: names that begin with system- are the cluster's own: choose another one
            value: 1000000001 is more than 1000000000, above which are the cluster's own classes"#]],
    );
    let old = accepted(of(Kind::PriorityClass, "mine", json!({ "value": 7 })));
    let new = accepted(of(
        Kind::PriorityClass,
        "mine",
        json!({ "value": 8, "globalDefault": true }),
    ));
    let errors = validate::update(&old, &new);
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].field, "value");
}

#[test]
fn a_pool_says_what_its_nodes_have_in_common() {
    let pool = accepted(spec(
        Kind::NodePool,
        json!({
            "zones": ["a", "b"], "pricePerHour": 0.34, "minPerZone": 2, "maxPerZone": 20, "scoring": "BinPack",
            "taints": [{ "key": "skep.io/spot", "value": "true", "effect": "NoSchedule" }],
        }),
    ));
    let Object::NodePool(pool) = pool else { panic!() };
    assert_eq!(pool.spec.price_per_hour.unwrap().decimal(), "0.34");
    refused(
        spec(
            Kind::NodePool,
            json!({ "labels": { "skep.io/pool": "x" }, "zones": ["a", "a"], "pricePerHour": -1, "minPerZone": 3, "maxPerZone": 2 }),
        ),
        &expect![[r#"
            spec.labels[skep.io/pool]: must be left out: it is what makes a node a member of a pool
            spec.zones[1]: `a` appears more than once
            spec.pricePerHour: -1 is below 0
            spec.maxPerZone: 2 is less than minPerZone, which is 3"#]],
    );
}

#[test]
fn pods_of_a_tier_keep_their_requests_open_and_others_ask_for_their_limits() {
    let pod = |labels: Value| {
        let container = json!({ "name": "web", "image": "web:v1", "resources": { "limits": { "cpu": 2 } } });
        let document = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "web", "labels": labels },
            "spec": { "containers": [container] },
        });
        let Object::Pod(pod) = accepted(document) else {
            panic!()
        };
        pod.spec.containers[0].resources.requests.len()
    };
    assert_eq!(pod(json!({})), 1);
    assert_eq!(pod(json!({ "skep.io/tier": "mission-critical" })), 0);
}
