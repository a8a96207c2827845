//! Tiers, budgets, quotas, limits, priorities and pools under the controllers.

use expect_test::expect;
use serde_json::{Value, json};
use skep_api::{
    Condition, Deployment, Node, NodePool, Object, Pod, PodDisruptionBudget, ReplicaSet, ResourceQuota, Time,
    well_known,
};
use skep_controllers::{admission, missing_defaults};
use skep_state::{Change, DeleteOptions, Propagation, Verb};
use skep_testkit::{deployment, node, pod};

use crate::sim::Sim;

fn object(document: Value) -> Object {
    let decoded = skep_api::admit::decode(document, skep_api::admit::Validation::Strict);
    decoded.unwrap_or_else(|errors| panic!("{errors:?}")).object
}

/// A cluster with the default tiers, and a node of each of their pools in each of two zones.
fn tiered() -> Sim {
    let mut sim = Sim::empty();
    for change in missing_defaults(&sim.state) {
        let Verb::Create(object) = change.verb else {
            panic!()
        };
        sim.create(*object);
    }
    for pool in ["production", "general", "spot"] {
        for zone in ["x", "y"] {
            let labels = node(&format!("{pool}-{zone}")).label(well_known::POOL, &format!("{pool}-pool"));
            sim.create(labels.label(well_known::ZONE, zone).cpu("8").memory("32Gi"));
        }
    }
    sim.settle();
    sim
}

fn budgets(sim: &Sim) -> Vec<String> {
    let told = |budget: &PodDisruptionBudget| {
        let status = &budget.status;
        format!(
            "{}: {} allowed, {} of {} healthy, {} needed",
            budget.metadata.name,
            status.disruptions_allowed,
            status.current_healthy,
            status.expected_pods,
            status.desired_healthy
        )
    };
    sim.state.list::<PodDisruptionBudget>(None).map(told).collect()
}

#[test]
fn each_tier_gives_its_pods_what_they_leave_open() {
    let mut sim = tiered();
    for tier in ["mission-critical", "business-critical", "non-critical"] {
        let mut web = deployment(&format!("web-{}", &tier[..3]), 2)
            .template_label(well_known::TIER, tier)
            .build();
        let limits = &mut web.spec.template.spec.containers[0].resources.limits;
        limits.insert("cpu".to_owned(), "1".parse().unwrap());
        limits.insert("memory".to_owned(), "1Gi".parse().unwrap());
        sim.create(web);
    }
    sim.settle();
    let mut told: Vec<String> = sim
        .pods()
        .iter()
        .map(|pod| {
            let filled = &pod.metadata.annotations[well_known::TIER_FILLED];
            format!(
                "{} priority {}: {filled}\n",
                pod.spec.node_name,
                pod.spec.priority.unwrap()
            )
        })
        .collect();
    told.sort();
    expect![[r#"
        general-x priority 1000000: priorityClassName=high-priority, nodeSelector[skep.io/pool]=general-pool, topologySpreadConstraints[kubernetes.io/hostname]=ScheduleAnyway, main.requests=cpu 700m memory 751619277
        general-y priority 1000000: priorityClassName=high-priority, nodeSelector[skep.io/pool]=general-pool, topologySpreadConstraints[kubernetes.io/hostname]=ScheduleAnyway, main.requests=cpu 700m memory 751619277
        production-x priority 2000000000: priorityClassName=system-cluster-critical, nodeSelector[skep.io/pool]=production-pool, topologySpreadConstraints[topology.kubernetes.io/zone]=DoNotSchedule, main.requests=cpu 500m memory 512Mi
        production-y priority 2000000000: priorityClassName=system-cluster-critical, nodeSelector[skep.io/pool]=production-pool, topologySpreadConstraints[topology.kubernetes.io/zone]=DoNotSchedule, main.requests=cpu 500m memory 512Mi
        spot-x priority -1000000: priorityClassName=low-priority, nodeSelector[skep.io/pool]=spot-pool, main.requests=cpu 900m memory 966367642
        spot-y priority -1000000: priorityClassName=low-priority, nodeSelector[skep.io/pool]=spot-pool, main.requests=cpu 900m memory 966367642
    "#]]
    .assert_eq(&told.concat());
    sim.advance(10);
    expect![[r#"
        [
            "deployment-web-bus: 1 allowed, 2 of 2 healthy, 1 needed",
            "deployment-web-mis: 0 allowed, 2 of 2 healthy, 2 needed",
            "deployment-web-non: 2 allowed, 2 of 2 healthy, 0 needed",
        ]
    "#]]
    .assert_debug_eq(&budgets(&sim));
}

#[test]
fn what_a_pod_says_itself_wins() {
    let sim = tiered();
    let mut own: Pod = pod("own")
        .label(well_known::TIER, "mission-critical")
        .label("app", "own")
        .build();
    own.spec.priority_class_name = "low-priority".to_owned();
    own.spec
        .node_selector
        .insert(well_known::POOL.to_owned(), "spot-pool".to_owned());
    let affinity = json!({ "podAntiAffinity": {} });
    own.spec.affinity = serde_json::from_value(affinity).unwrap();
    let resources = &mut own.spec.containers[0].resources;
    resources.limits.insert("cpu".to_owned(), "2".parse().unwrap());
    resources
        .requests
        .insert("cpu".to_owned(), "300m".parse().unwrap());
    let before = own.clone();
    assert_eq!(admission::pod(&sim.state, &mut own), Ok(vec![]));
    assert_eq!(own.spec.priority, Some(-1_000_000));
    own.spec.priority = None;
    own.spec.preemption_policy = None;
    // As every pod that asks for something gets it, in a tier or not.
    let added = std::mem::take(&mut own.spec.tolerations);
    let keys: Vec<&str> = added.iter().map(|one| one.key.as_str()).collect();
    assert_eq!(keys, ["node.kubernetes.io/memory-pressure"]);
    assert_eq!(own, before);
}

#[test]
fn admission_again_changes_nothing() {
    let sim = tiered();
    let mut one = pod("one")
        .label(well_known::TIER, "mission-critical")
        .label("app", "one")
        .build();
    one.spec.containers[0]
        .resources
        .limits
        .insert("cpu".to_owned(), "2".parse().unwrap());
    admission::pod(&sim.state, &mut one).unwrap();
    let admitted = one.clone();
    assert_eq!(admission::pod(&sim.state, &mut one), Ok(vec![]));
    assert_eq!(one, admitted);
}

#[test]
fn an_unknown_tier_is_told_with_those_there_are_and_a_replica_set_says_so() {
    let mut sim = tiered();
    let mut lost = pod("lost").label(well_known::TIER, "gold").build();
    let errors = admission::pod(&sim.state, &mut lost).unwrap_err();
    expect![
        "metadata.labels[skep.io/tier]: `gold` is not a tier of this cluster: write one of business-critical, mission-critical, non-critical"
    ]
    .assert_eq(&errors[0].to_string());
    sim.create(deployment("web", 1).template_label(well_known::TIER, "gold"));
    sim.settle();
    let set = sim.state.list::<ReplicaSet>(None).next().unwrap();
    let failure = Condition::find(&set.status.conditions, "ReplicaFailure").unwrap();
    assert!(
        failure.message.contains("`gold` is not a tier"),
        "{}",
        failure.message
    );
}

#[test]
fn a_budget_of_ones_own_takes_the_place_of_the_tiers() {
    let mut sim = tiered();
    sim.create(deployment("web", 2).template_label(well_known::TIER, "mission-critical"));
    sim.advance(10);
    assert_eq!(
        budgets(&sim),
        ["deployment-web: 0 allowed, 2 of 2 healthy, 2 needed"]
    );
    let own = json!({
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": { "name": "mine" },
        "spec": { "minAvailable": "50%", "selector": { "matchLabels": { "app": "web" } } },
    });
    sim.create(object(own));
    sim.settle();
    assert_eq!(budgets(&sim), ["mine: 1 allowed, 2 of 2 healthy, 1 needed"]);
    sim.delete::<PodDisruptionBudget>("mine", Propagation::Background);
    sim.settle();
    assert_eq!(
        budgets(&sim),
        ["deployment-web: 0 allowed, 2 of 2 healthy, 2 needed"]
    );
    sim.delete::<Deployment>("web", Propagation::Background);
    sim.advance(10);
    assert_eq!(budgets(&sim), [""; 0]);
}

fn quota(cpu: &str) -> Object {
    object(json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": { "name": "q" }, "spec": { "hard": { "cpu": cpu } },
    }))
}

#[test]
fn a_replica_set_makes_as_many_pods_as_the_quota_allows_and_says_what_stands_in_the_way() {
    let mut sim = Sim::new();
    sim.create(quota("1"));
    sim.create(deployment("web", 3).cpu("400m"));
    sim.settle();
    assert_eq!(sim.pods().len(), 2);
    let set = sim.state.list::<ReplicaSet>(None).next().unwrap().clone();
    let failure = Condition::find(&set.status.conditions, "ReplicaFailure").unwrap();
    assert_eq!(
        failure.message,
        "pod is forbidden: exceeded quota: q, requested: cpu=400m, used: cpu=800m, limited: cpu=1"
    );
    sim.edit::<ResourceQuota>("q", |quota| {
        quota.spec.hard.insert("cpu".to_owned(), "2".parse().unwrap());
    });
    sim.settle();
    assert_eq!(sim.pods().len(), 3);
    assert_eq!(
        sim.get::<ResourceQuota>("q").status.used["cpu"].to_string(),
        "1200m"
    );
    let set = sim.state.list::<ReplicaSet>(None).next().unwrap();
    assert_eq!(set.status.conditions, []);
}

#[test]
fn a_quota_below_what_runs_explains_itself_and_takes_nothing_away() {
    let mut sim = Sim::new();
    sim.create(deployment("web", 3).cpu("400m"));
    sim.settle();
    sim.create(quota("1"));
    sim.advance(30);
    assert_eq!(sim.pods().len(), 3);
    let quota = sim.get::<ResourceQuota>("q");
    expect!["there is more than there may be: cpu 1200m of 1; what is there stays, and nothing is added until it is less"]
        .assert_eq(&quota.status.conditions[0].message);
}

#[test]
fn a_limit_range_gives_defaults_and_keeps_bounds() {
    let mut sim = Sim::new();
    sim.create(object(json!({
        "apiVersion": "v1", "kind": "LimitRange", "metadata": { "name": "l" },
        "spec": { "limits": [{
            "type": "Container", "default": { "cpu": "500m" }, "defaultRequest": { "cpu": "100m" }, "max": { "cpu": 1 },
            "maxLimitRequestRatio": { "cpu": 5 },
        }] },
    })));
    let mut silent = pod("silent").build();
    admission::pod(&sim.state, &mut silent).unwrap();
    let resources = &silent.spec.containers[0].resources;
    assert_eq!(resources.limits["cpu"].to_string(), "500m");
    assert_eq!(resources.requests["cpu"].to_string(), "100m");
    let mut greedy = pod("greedy").cpu("100m").build();
    greedy.spec.containers[0]
        .resources
        .limits
        .insert("cpu".to_owned(), "2".parse().unwrap());
    let errors = admission::pod(&sim.state, &mut greedy).unwrap_err();
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    expect![[r#"
        spec.containers[0].resources: maximum cpu usage per Container is 1, but limit is 2 (limit range l)
        spec.containers[0].resources: cpu max limit to request ratio per Container is 5, but provided ratio is 20.00 (limit range l)"#]]
    .assert_eq(&errors.join("\n"));
}

#[test]
fn what_a_tier_or_a_pod_names_and_there_is_not_is_told_to_its_author() {
    let sim = tiered();
    let told = |document: serde_json::Value| {
        admission::outlook(&sim.state, &object(document))
            .unwrap()
            .join("\n")
    };
    let tier = |class: &str, pool: &str| {
        told(json!({
            "apiVersion": "skep.io/v1", "kind": "WorkloadTier", "metadata": { "name": "mine" },
            "spec": { "priorityClassName": class, "nodePool": pool },
        }))
    };
    assert_eq!(tier("high-priority", "spot-pool"), "");
    expect![[r#"
        spec.priorityClassName: there is no PriorityClass `highest`: write one of high-priority, low-priority, system-cluster-critical, system-node-critical, or create it; pods of tier mine cannot be created until there is one
        spec.nodePool: there is no pool `nowhere` and no node in it: pods of tier mine wait until one is (skep agent --pool nowhere, or skep label node NAME skep.io/pool=nowhere)"#]].assert_eq(&tier("highest", "nowhere"));
    let named = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "web" },
        "spec": { "nodeName": "n9", "containers": [{ "name": "main", "image": "web:1" }] },
    });
    expect!["spec.nodeName: there is no node `n9`: the pod is removed at once; leave the field out to have a node chosen, or name one of skep get nodes"].assert_eq(&told(named));
    let mut sim = sim;
    let class = |name: &str, value: i32| {
        object(json!({
            "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": { "name": name },
            "value": value, "globalDefault": true,
        }))
    };
    let first = class("first", 5);
    assert_eq!(admission::outlook(&sim.state, &first).unwrap(), [""; 0]);
    sim.create(first.clone());
    assert_eq!(admission::outlook(&sim.state, &first).unwrap(), [""; 0]);
    let second = admission::outlook(&sim.state, &class("second", 7)).unwrap();
    expect!["globalDefault: `first` is the class of pods that name none already: of several the one of the least value counts, which is `first`; set globalDefault: false in the others"].assert_eq(&second.join("\n"));
}

#[test]
fn a_pods_priority_is_that_of_its_class() {
    let sim = tiered();
    let refused = |class: &str, priority: Option<i32>| {
        let mut one = pod("one").build();
        one.spec.priority_class_name = class.to_owned();
        one.spec.priority = priority;
        admission::pod(&sim.state, &mut one).unwrap_err()[0].to_string()
    };
    assert_eq!(
        refused("high-priority", Some(7)),
        "spec.priority: 7 is not the priority of its class, which is 1000000: leave it out and name a class"
    );
    assert!(
        refused("lost", None)
            .starts_with("spec.priorityClassName: there is no PriorityClass `lost`: write one of")
    );
}

#[test]
fn nodes_get_what_their_pool_says_and_lose_it_when_it_no_longer_does() {
    let mut sim = tiered();
    let member = |sim: &Sim| {
        let node: Node = sim.get("spot-x");
        let taints: Vec<String> = node.spec.taints.iter().map(|taint| taint.key.clone()).collect();
        (node.metadata.labels.get("disk").cloned(), taints)
    };
    sim.edit::<NodePool>("spot-pool", |pool| {
        pool.spec.labels.insert("disk".to_owned(), "slow".to_owned());
        let taint = json!({ "key": "spot", "value": "true", "effect": "NoSchedule" });
        pool.spec.taints.push(serde_json::from_value(taint).unwrap());
    });
    sim.settle();
    assert_eq!(member(&sim), (Some("slow".to_owned()), vec!["spot".to_owned()]));
    assert_eq!(sim.get::<NodePool>("spot-pool").status.nodes, 2);
    expect!["1 nodes in zone x, 2 wanted at least, 1 nodes in zone y, 2 wanted at least"]
        .assert_eq(&sim.get::<NodePool>("spot-pool").status.conditions[0].message);
    // Pods of the tier tolerate it.
    sim.create(deployment("batch", 1).template_label(well_known::TIER, "non-critical"));
    sim.settle();
    assert!(sim.pods()[0].spec.node_name.starts_with("spot-"));
    sim.edit::<Node>("spot-x", |node| {
        node.metadata.labels.remove(well_known::POOL);
    });
    sim.settle();
    assert_eq!(member(&sim), (None, vec![]));
}

fn mark(sim: &mut Sim, name: &str, until: Time) {
    sim.edit::<Pod>(name, |pod| {
        let annotations = &mut pod.metadata.annotations;
        annotations.insert(well_known::REPLACED_UNTIL.to_owned(), until.to_string());
    });
}

#[test]
fn a_pod_that_is_to_be_replaced_gets_its_replacement_first_and_the_budget_then_allows_it_to_go() {
    let mut sim = tiered();
    sim.create(deployment("web", 2).template_label(well_known::TIER, "mission-critical"));
    sim.advance(10);
    let old = sim.pods()[0].clone();
    let until = sim.now.plus(std::time::Duration::from_secs(300));
    mark(&mut sim, &old.metadata.name, until);
    sim.settle();
    assert_eq!(sim.pods().len(), 3);
    assert_eq!(
        budgets(&sim),
        ["deployment-web: 0 allowed, 2 of 2 healthy, 2 needed"]
    );
    sim.advance(10);
    assert_eq!(
        budgets(&sim),
        ["deployment-web: 1 allowed, 3 of 2 healthy, 2 needed"]
    );
    let deployed: Deployment = sim.get("web");
    assert_eq!(
        (deployed.status.replicas, deployed.status.available_replicas),
        (2, 2)
    );
    let evict = Change::new(Verb::Evict {
        pod: old.metadata.key(),
        options: DeleteOptions::default(),
    });
    sim.propose(evict).unwrap();
    sim.advance(10);
    assert_eq!(sim.pods().len(), 2);
    assert!(sim.find::<Pod>(&old.metadata.name).is_none());
}

#[test]
fn a_replacement_that_nobody_waits_for_any_more_goes_again() {
    let mut sim = tiered();
    sim.create(deployment("web", 2).template_label(well_known::TIER, "non-critical"));
    sim.advance(10);
    let old = sim.pods()[0].metadata.name.clone();
    let until = sim.now.plus(std::time::Duration::from_secs(60));
    mark(&mut sim, &old, until);
    sim.advance(30);
    assert_eq!(sim.pods().len(), 3);
    sim.advance(60);
    assert_eq!(sim.pods().len(), 2);
}

#[test]
fn a_forecast_says_who_would_make_room_and_leaves_the_state_alone() {
    let mut sim = Sim::empty();
    sim.create(node("a").cpu("4"));
    let mut small = pod("small").cpu("3").build();
    small.spec.priority = Some(-5);
    sim.create(small);
    sim.advance(10);
    let mut large = pod("large").cpu("3").build();
    large.spec.priority = Some(7);
    let mut after = sim.state.clone();
    let entry = skep_state::Entry {
        request_id: String::new(),
        sent: None,
        now: sim.now,
        changes: vec![Change::create(large)],
    };
    after.apply(&entry).pop().unwrap().unwrap();
    let before = sim.state.clone();
    let told = skep_controllers::forecast(&sim.state, after, &sim.settings, sim.now);
    assert_eq!(told.preempted.len(), 1);
    let victim = &told.preempted[0];
    assert_eq!((victim.pod.name.as_str(), victim.priority), ("small", -5));
    assert!(
        victim
            .why
            .contains("makes room for pod default/large of priority 7"),
        "{}",
        victim.why
    );
    assert_eq!(
        (told.placements[0].node.as_str(), told.placements[0].pods),
        ("a", 1)
    );
    assert!(sim.state == before);
}
