//! What may change of an object, and what may not.

use expect_test::{Expect, expect};
use serde_json::{Value, json};
use skep_api::{
    Object,
    admit::{Validation, decode},
    validate,
};

fn object(document: Value) -> Object {
    decode(document, Validation::Strict)
        .unwrap_or_else(|errors| panic!("{errors:#?}"))
        .object
}

fn pod() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "web", "uid": "1" },
        "spec": { "activeDeadlineSeconds": 60, "tolerations": [{ "key": "a", "operator": "Exists" }],
            "containers": [{ "name": "web", "image": "web:v1", "command": ["run"] }] },
    })
}

/// Checks the update from `old` to what `change` makes of it.
fn check(old: Value, change: impl FnOnce(&mut Value), expected: &Expect) {
    let mut new = old.clone();
    change(&mut new);
    let errors = validate::update(&object(old), &object(new));
    expected.assert_eq(
        &errors
            .iter()
            .map(|error| format!("{} {error}\n", error.reason))
            .collect::<String>(),
    );
}

#[test]
fn pod_may_change_its_images_and_little_more() {
    check(
        pod(),
        |pod| {
            pod["metadata"]["labels"] = json!({ "a": "b" });
            pod["spec"]["containers"][0]["image"] = "web".into();
            pod["spec"]["activeDeadlineSeconds"] = 30.into();
            pod["spec"]["terminationGracePeriodSeconds"] = 5.into();
            pod["spec"]["tolerations"] =
                json!([{ "key": "b", "operator": "Exists" }, { "key": "a", "operator": "Exists" }]);
        },
        &expect![[""]],
    );
}

#[test]
fn pod_may_change_nothing_else() {
    check(
        pod(),
        |pod| {
            pod["spec"]["containers"][0]["command"] = json!(["walk"]);
            pod["spec"]["activeDeadlineSeconds"] = 90.into();
            pod["spec"]["tolerations"] = json!([]);
            pod["spec"]["nodeName"] = "a".into();
        },
        &expect![[r#"
            Immutable spec.activeDeadlineSeconds: may not change: of a pod only images, activeDeadlineSeconds (shorter), tolerations (more), schedulingGates (fewer) and terminationGracePeriodSeconds may; delete it and create it again
            Immutable spec.containers[0].command[0]: may not change: of a pod only images, activeDeadlineSeconds (shorter), tolerations (more), schedulingGates (fewer) and terminationGracePeriodSeconds may; delete it and create it again
            Immutable spec.tolerations: may not change: of a pod only images, activeDeadlineSeconds (shorter), tolerations (more), schedulingGates (fewer) and terminationGracePeriodSeconds may; delete it and create it again
            Immutable spec.nodeName: may not change: of a pod only images, activeDeadlineSeconds (shorter), tolerations (more), schedulingGates (fewer) and terminationGracePeriodSeconds may; delete it and create it again
        "#]],
    );
    check(
        pod(),
        |pod| {
            let containers = pod["spec"]["containers"].as_array_mut().expect("a list");
            containers.push(json!({ "name": "b", "image": "b:1" }));
        },
        &expect![[r#"
            Immutable spec.containers: may not change: of a pod only images, activeDeadlineSeconds (shorter), tolerations (more), schedulingGates (fewer) and terminationGracePeriodSeconds may; delete it and create it again
        "#]],
    );
}

#[test]
fn selector_of_a_deployment_may_not_change() {
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web" },
        "spec": { "selector": { "matchLabels": { "app": "web" } }, "template": {
            "metadata": { "labels": { "app": "web", "tier": "front" } },
            "spec": { "containers": [{ "name": "web", "image": "web:v1" }] } } },
    });
    check(
        deployment,
        |deployment| {
            deployment["spec"]["replicas"] = 7.into();
            deployment["spec"]["selector"] = json!({ "matchLabels": { "tier": "front" } });
        },
        &expect![[r#"
            Immutable spec.selector: is immutable: it may not change; delete the object and create it again
        "#]],
    );
}

#[test]
fn what_the_server_set_may_be_left_out_and_not_be_changed() {
    check(
        pod(),
        |pod| pod["metadata"] = json!({ "name": "web" }),
        &expect![[""]],
    );
    check(
        pod(),
        |pod| {
            pod["metadata"] = json!({ "name": "api", "namespace": "b", "uid": "2", "creationTimestamp": "2026-01-01T00:00:00Z",
                "deletionTimestamp": "2026-01-01T00:00:00Z" });
        },
        &expect![[r#"
            Immutable metadata.name: is immutable: it may not change; delete the object and create it again
            Immutable metadata.namespace: is immutable: it may not change; delete the object and create it again
            Immutable metadata.uid: is immutable: it may not change; delete the object and create it again
            Immutable metadata.creationTimestamp: is immutable: it may not change; delete the object and create it again
            Immutable metadata.deletionTimestamp: is immutable: it may not change; delete the object and create it again
        "#]],
    );
}

#[test]
fn object_that_ends_gets_no_new_finalizer() {
    let mut old = pod();
    old["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
    old["metadata"]["finalizers"] = json!(["a.b/c", "a.b/d"]);
    check(
        old,
        |pod| pod["metadata"]["finalizers"] = json!(["a.b/c", "a.b/e"]),
        &expect![[r#"
            Forbidden metadata.finalizers: `a.b/e` may not be added while the object is being deleted
        "#]],
    );
}

#[test]
fn immutable_configuration_stays() {
    let config_map = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "c" },
        "immutable": true, "data": { "a": "1" } });
    let change = |config_map: &mut Value| {
        config_map["immutable"] = false.into();
        config_map["data"]["a"] = "2".into();
        config_map["binaryData"] = json!({ "b": "eA==" });
    };
    check(
        config_map.clone(),
        change,
        &expect![[r#"
        Immutable immutable: may not be taken back; delete the object and create it again
        Immutable data: may not change: the object is immutable
        Immutable binaryData: may not change: the object is immutable
    "#]],
    );
    check(
        config_map,
        |config_map| config_map["metadata"]["labels"] = json!({ "a": "b" }),
        &expect![[""]],
    );
    let secret =
        json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "s" }, "data": { "a": "eA==" } });
    check(
        secret,
        |secret| secret["type"] = "mine".into(),
        &expect![[r#"
        Immutable type: is immutable: it may not change; delete the object and create it again
    "#]],
    );
}

#[test]
fn pod_addresses_of_a_node_stay() {
    let node = json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": "a" } });
    check(
        node.clone(),
        |node| node["spec"] = json!({ "podCIDR": "10.0.0.0/24" }),
        &expect![[""]],
    );
    let mut with_range = node;
    with_range["spec"] = json!({ "podCIDR": "10.0.0.0/24" });
    check(
        with_range,
        |node| node["spec"] = json!({ "podCIDR": "10.0.1.0/24", "unschedulable": true }),
        &expect![[r#"
            Immutable spec.podCIDR: is immutable: it may not change; delete the object and create it again
        "#]],
    );
}
