//! What a pod may say of where, when and before whom it is placed.

use expect_test::expect;
use serde_json::{Value, json};
use skep_api::{
    Object, Pod,
    admit::{Validation, decode},
    validate,
};

fn pod(spec: &Value) -> Value {
    let mut document = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": "web", "namespace": "default" },
        "spec": { "containers": [{ "name": "web", "image": "web:v1" }] },
    });
    let fields = spec.as_object().expect("a mapping").clone();
    document["spec"]
        .as_object_mut()
        .expect("a mapping")
        .extend(fields);
    document
}

fn accepted(spec: &Value) -> Pod {
    match decode(pod(spec), Validation::Strict).map(|decoded| decoded.object) {
        Ok(Object::Pod(pod)) => *pod,
        other => panic!("{other:#?}"),
    }
}

fn refused(spec: &Value) -> String {
    let errors = decode(pod(spec), Validation::Strict).expect_err("is refused");
    errors
        .iter()
        .map(|error| format!("{} {error}\n", error.reason))
        .collect()
}

#[test]
fn everything_kubernetes_has_is_kept_as_it_was_written() {
    let term = json!({
        "labelSelector": { "matchLabels": { "app": "web" } }, "topologyKey": "kubernetes.io/hostname",
        "namespaces": ["other"], "namespaceSelector": {}, "matchLabelKeys": ["hash"], "mismatchLabelKeys": ["color"],
    });
    let pods = json!({
        "requiredDuringSchedulingIgnoredDuringExecution": [term],
        "preferredDuringSchedulingIgnoredDuringExecution": [{ "weight": 7, "podAffinityTerm": term }],
    });
    let expressions = json!([
        { "key": "a", "operator": "In", "values": ["x", "y"] }, { "key": "b", "operator": "NotIn", "values": ["x"] },
        { "key": "c", "operator": "Exists" }, { "key": "d", "operator": "DoesNotExist" },
        { "key": "e", "operator": "Gt", "values": ["7"] }, { "key": "f", "operator": "Lt", "values": ["-7"] },
    ]);
    let spec = json!({
        "affinity": {
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": { "nodeSelectorTerms": [
                    { "matchExpressions": expressions,
                      "matchFields": [{ "key": "metadata.name", "operator": "In", "values": ["a"] }] },
                ] },
                "preferredDuringSchedulingIgnoredDuringExecution": [
                    { "weight": 100, "preference": { "matchExpressions": expressions } },
                ],
            },
            "podAffinity": pods, "podAntiAffinity": pods,
        },
        "topologySpreadConstraints": [{
            "maxSkew": 1, "minDomains": 3, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {}, "nodeAffinityPolicy": "Ignore", "nodeTaintsPolicy": "Honor", "matchLabelKeys": ["hash"],
        }],
        "priorityClassName": "high", "priority": 1000, "preemptionPolicy": "Never",
        "schedulingGates": [{ "name": "example.com/wait" }],
        "overhead": { "cpu": "50m" },
        "resources": { "requests": { "cpu": "1" }, "limits": { "memory": "1Gi" } },
    });
    let mut kept = serde_json::to_value(accepted(&spec).spec).unwrap();
    // Filled in: what is asked for where only a limit is stated.
    assert_eq!(
        kept["resources"]["requests"]
            .as_object_mut()
            .unwrap()
            .remove("memory"),
        Some(json!("1Gi"))
    );
    for (field, value) in spec.as_object().unwrap() {
        assert_eq!(&kept[field], value, "{field}");
    }
}

#[test]
fn policies_of_a_spread_constraint_have_the_defaults_of_kubernetes() {
    let spec = json!({ "topologySpreadConstraints": [{ "maxSkew": 1, "topologyKey": "zone" }] });
    expect![[r#"
        TopologySpreadConstraint {
            max_skew: 1,
            topology_key: "zone",
            when_unsatisfiable: DoNotSchedule,
            label_selector: None,
            min_domains: None,
            node_affinity_policy: Honor,
            node_taints_policy: Ignore,
            match_label_keys: [],
        }
    "#]]
    .assert_debug_eq(&accepted(&spec).spec.topology_spread_constraints[0]);
}

#[test]
fn node_affinity_that_could_select_nothing_is_refused() {
    let required = "requiredDuringSchedulingIgnoredDuringExecution";
    let expressions = json!([
        { "key": "a", "operator": "In" }, { "key": "b", "operator": "Exists", "values": ["x"] },
        { "key": "c", "operator": "Gt", "values": ["1", "2"] }, { "key": "d", "operator": "Lt", "values": ["many"] },
        { "key": "-", "operator": "In", "values": ["x y"] },
    ]);
    let fields = json!([{ "key": "metadata.uid", "operator": "Exists" }]);
    let spec = json!({ "affinity": { "nodeAffinity": {
        required: { "nodeSelectorTerms": [{ "matchExpressions": expressions, "matchFields": fields }] },
        "preferredDuringSchedulingIgnoredDuringExecution": [{ "weight": 0 }],
    } } });
    expect![[r#"
        Required spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].values: is missing; In and NotIn need at least one value
        Forbidden spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[1].values: must be left out for Exists and DoesNotExist
        Invalid spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[2].values: has 2 entries; Gt and Lt need one
        Invalid spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[3].values: `many` is not a whole number, which Gt and Lt need
        Invalid spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[4].key: `-` must consist of letters, digits, `-`, `_` and `.`, and start and end with a letter or digit
        Invalid spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[4].values[0]: `x y` must consist of letters, digits, `-`, `_` and `.`, and start and end with a letter or digit
        Invalid spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchFields[0].key: `metadata.uid` is not a field to select by: metadata.name is the only one
        Invalid spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchFields[0].operator: must be In or NotIn for a field
        Invalid spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchFields[0].values: has 0 entries; a field needs one
        Invalid spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight: 0 is not between 1 and 100
    "#]].assert_eq(&refused(&spec));
    let empty = json!({ "affinity": { "nodeAffinity": { required: { "nodeSelectorTerms": [] } } } });
    expect![[r#"
        Required spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms: is missing; without any term no node would do
    "#]].assert_eq(&refused(&empty));
}

#[test]
fn pod_affinity_names_its_topology_and_does_not_contradict_itself() {
    let spec = json!({ "affinity": {
        "podAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": [
            { "matchLabelKeys": ["a"], "namespaces": ["No"], "namespaceSelector": { "matchLabels": { "-": "x" } } },
        ] },
        "podAntiAffinity": { "preferredDuringSchedulingIgnoredDuringExecution": [
            { "weight": 101, "podAffinityTerm": { "topologyKey": "a b", "labelSelector": {},
                "matchLabelKeys": ["a"], "mismatchLabelKeys": ["a"] } },
        ] },
    } });
    expect![[r#"
        Required spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey: is missing; write for example kubernetes.io/hostname
        Invalid spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].namespaceSelector.matchLabels: `-` must consist of letters, digits, `-`, `_` and `.`, and start and end with a letter or digit
        Invalid spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].namespaces[0]: `No` must consist of lower-case letters, digits and `-`, and start and end with a letter or digit
        Forbidden spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].matchLabelKeys: must be left out where labelSelector is: there is nothing to narrow
        Invalid spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight: 101 is not between 1 and 100
        Invalid spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].podAffinityTerm.topologyKey: `a b` must consist of letters, digits, `-`, `_` and `.`, and start and end with a letter or digit
        Invalid spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].podAffinityTerm.mismatchLabelKeys[0]: `a` is in matchLabelKeys too: no pod can be equal and different
    "#]].assert_eq(&refused(&spec));
}

#[test]
fn spread_gates_and_priority_are_checked() {
    let zone = json!({ "maxSkew": 0, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway", "minDomains": 0,
        "matchLabelKeys": ["a"] });
    let spec = json!({
        "topologySpreadConstraints": [zone, zone, { "maxSkew": 1 }, { "maxSkew": 4_294_967_296_u64, "topologyKey": "x" }],
    });
    expect![[r#"
        Invalid spec.topologySpreadConstraints[3].maxSkew: 4294967296 is not between -2147483648 and 2147483647
    "#]].assert_eq(&refused(&spec));
    let spec = json!({
        "topologySpreadConstraints": [zone, zone, { "maxSkew": 1 }],
        "schedulingGates": [{ "name": "a" }, { "name": "a" }, { "name": "" }], "nodeName": "n",
        "priorityClassName": "No Class",
    });
    expect![[r#"
        Invalid spec.topologySpreadConstraints[0].maxSkew: 0 is below 1
        Invalid spec.topologySpreadConstraints[0].minDomains: 0 is below 1
        Forbidden spec.topologySpreadConstraints[0].minDomains: must be left out where whenUnsatisfiable is ScheduleAnyway
        Forbidden spec.topologySpreadConstraints[0].matchLabelKeys: must be left out where labelSelector is: there is nothing to narrow
        Invalid spec.topologySpreadConstraints[1].maxSkew: 0 is below 1
        Invalid spec.topologySpreadConstraints[1].minDomains: 0 is below 1
        Forbidden spec.topologySpreadConstraints[1].minDomains: must be left out where whenUnsatisfiable is ScheduleAnyway
        Forbidden spec.topologySpreadConstraints[1].matchLabelKeys: must be left out where labelSelector is: there is nothing to narrow
        Duplicate spec.topologySpreadConstraints[1]: `zone ScheduleAnyway` appears more than once
        Required spec.topologySpreadConstraints[2].topologyKey: is missing; write for example kubernetes.io/hostname
        Invalid spec.priorityClassName: `No Class` must consist of lower-case letters, digits, `-` and `.`, and each part between dots must start and end with a letter or digit
        Duplicate spec.schedulingGates[1].name: `a` appears more than once
        Invalid spec.schedulingGates[2].name: `` is empty; a key looks like `app` or `example.com/app`
        Forbidden spec.schedulingGates: must be left out where nodeName is set: the pod is placed already
    "#]].assert_eq(&refused(&spec));
}

#[test]
fn resources_of_the_pod_as_a_whole_hold_those_of_its_containers() {
    let spec = json!({
        "containers": [{ "name": "web", "image": "web:v1",
            "resources": { "requests": { "cpu": "2" }, "limits": { "cpu": "4" } } }],
        "resources": { "requests": { "cpu": "1", "example.com/gpu": "1" }, "limits": { "cpu": "3", "memory": "-1" } },
        "overhead": { "cpu": "-1", "disk": "1" },
    });
    expect![[r#"
        Invalid spec.overhead[cpu]: -1 is below 0
        Invalid spec.overhead[disk]: is not a resource: write one of cpu, memory, ephemeral-storage, or a name such as example.com/gpu
        Invalid spec.resources.limits[memory]: -1 is below 0
        Required spec.resources.limits[example.com/gpu]: is missing; an extended resource needs a limit equal to its request
        Invalid spec.resources.requests[example.com/gpu]: `example.com/gpu` may be stated for containers only; a pod as a whole has cpu and memory
        Invalid spec.resources.requests[cpu]: 1 is less than the 2 that its containers ask for
        Invalid spec.resources.limits[cpu]: 3 is less than the limit of 4 that a container has
    "#]].assert_eq(&refused(&spec));
}

#[test]
fn limit_of_the_pod_as_a_whole_is_one_that_its_containers_keep() {
    let two = |first: &Value, second: &Value| {
        json!({
            "containers": [{ "name": "a", "image": "a:1", "resources": { "limits": first } },
                { "name": "b", "image": "b:1", "resources": { "limits": second } }],
            "resources": { "limits": { "cpu": "1" } },
        })
    };
    expect![[r#"
        NotImplemented spec.resources.limits[cpu]: is held by skep container by container: give each of them a limit, 1 together at most
    "#]]
    .assert_eq(&refused(&two(&json!({ "cpu": "500m" }), &json!({}))));
    accepted(&two(&json!({ "cpu": "500m" }), &json!({ "cpu": "500m" })));
}

#[test]
fn gates_may_go_and_not_come_and_the_selector_gets_narrower_meanwhile() {
    let gated =
        json!({ "schedulingGates": [{ "name": "a" }, { "name": "b" }], "nodeSelector": { "disk": "ssd" } });
    let told = |old: &Value, new: &Value| -> String {
        let errors = validate::update(&accepted(old).into(), &accepted(new).into());
        errors.iter().map(|error| format!("{error}\n")).collect()
    };
    let narrower =
        json!({ "schedulingGates": [{ "name": "b" }], "nodeSelector": { "disk": "ssd", "zone": "a" } });
    assert_eq!(told(&gated, &narrower), "");
    expect![[r#"
        spec.nodeSelector.zone: may not change: of a pod only images, activeDeadlineSeconds (shorter), tolerations (more), schedulingGates (fewer) and terminationGracePeriodSeconds may; delete it and create it again
        spec.schedulingGates: may not change: of a pod only images, activeDeadlineSeconds (shorter), tolerations (more), schedulingGates (fewer) and terminationGracePeriodSeconds may; delete it and create it again
    "#]].assert_eq(&told(&narrower, &gated));
    let free = json!({ "nodeSelector": { "disk": "ssd" } });
    expect![[r#"
        spec.nodeSelector.zone: may not change: of a pod only images, activeDeadlineSeconds (shorter), tolerations (more), schedulingGates (fewer) and terminationGracePeriodSeconds may; delete it and create it again
    "#]].assert_eq(&told(
        &free,
        &json!({ "nodeSelector": { "disk": "ssd", "zone": "a" } }),
    ));
}
