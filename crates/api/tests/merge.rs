//! Patches and `apply`.

use expect_test::expect;
use proptest::prelude::*;
use serde_json::{Value, json};
use skep_api::{
    Kind,
    admit::{Validation, decode},
    merge::{merge_patch, strategic, three_way},
};

fn patched(current: &Value, patch: &Value) -> Value {
    strategic(current, patch, Kind::Pod).unwrap_or_else(|error| panic!("{error}"))
}

fn names(value: &Value) -> Vec<&str> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .map(|item| item["name"].as_str().unwrap_or("?"))
        .collect()
}

fn containers(names: &[&str]) -> Value {
    let containers: Vec<_> = names
        .iter()
        .map(|name| json!({ "name": name, "image": format!("{name}:1") }))
        .collect();
    json!({ "spec": { "containers": containers } })
}

#[test]
fn merge_patch_follows_rfc_7386() {
    let current = json!({ "a": { "b": 1, "c": 2 }, "d": [1, 2], "e": 5 });
    let patch = json!({ "a": { "b": null, "x": { "y": null, "z": 1 } }, "d": [3], "e": { "f": 1 } });
    assert_eq!(
        merge_patch(&current, &patch),
        json!({ "a": { "c": 2, "x": { "z": 1 } }, "d": [3], "e": { "f": 1 } })
    );
    assert_eq!(merge_patch(&current, &json!("all")), json!("all"));
}

#[test]
fn containers_are_merged_by_name() {
    let patch = json!({ "spec": { "containers": [{ "name": "b", "image": "b:2", "tty": null }] } });
    let merged = patched(&containers(&["a", "b"]), &patch);
    assert_eq!(
        merged["spec"]["containers"],
        json!([{ "name": "a", "image": "a:1" }, { "name": "b", "image": "b:2" }])
    );
}

#[test]
fn new_item_comes_first_unless_an_order_is_given() {
    let new = json!({ "spec": { "containers": [{ "name": "new", "image": "n:1" }] } });
    let merged = patched(&containers(&["a", "b"]), &new);
    assert_eq!(names(&merged["spec"]["containers"]), ["new", "a", "b"]);
    let ordered = json!({ "spec": { "containers": [{ "name": "new" }],
        "$setElementOrder/containers": [{ "name": "b" }, { "name": "new" }] } });
    let merged = patched(&containers(&["a", "b", "c"]), &ordered);
    assert_eq!(names(&merged["spec"]["containers"]), ["a", "b", "new", "c"]);
    let only_order = json!({ "spec": { "$setElementOrder/containers": [{ "name": "b" }, { "name": "a" }] } });
    assert_eq!(
        names(&patched(&containers(&["a", "b"]), &only_order)["spec"]["containers"]),
        ["b", "a"]
    );
}

#[test]
fn directives_delete_and_replace() {
    let delete = json!({ "spec": { "containers": [{ "$patch": "delete", "name": "a" }] } });
    assert_eq!(
        names(&patched(&containers(&["a", "b"]), &delete)["spec"]["containers"]),
        ["b"]
    );
    let replace = json!({ "spec": { "containers": [{ "$patch": "replace" }, { "name": "c" }] } });
    assert_eq!(
        patched(&containers(&["a", "b"]), &replace)["spec"]["containers"],
        json!([{ "name": "c" }])
    );
    let map = json!({ "metadata": { "labels": { "$patch": "replace", "new": "1", "gone": null } } });
    let current = json!({ "metadata": { "labels": { "old": "1" } } });
    assert_eq!(
        patched(&current, &map),
        json!({ "metadata": { "labels": { "new": "1" } } })
    );
    let map = json!({ "metadata": { "labels": { "$patch": "delete" } } });
    assert_eq!(patched(&current, &map), json!({ "metadata": { "labels": {} } }));
}

#[test]
fn retain_keys_leaves_no_remains() {
    let current = json!({ "spec": { "volumes": [{ "name": "v", "emptyDir": {} }] } });
    let patch = json!({ "spec": { "volumes": [{ "name": "v", "$retainKeys": ["name", "hostPath"], "hostPath": { "path": "/x" } }] } });
    let merged = patched(&current, &patch);
    assert_eq!(
        merged["spec"]["volumes"],
        json!([{ "name": "v", "hostPath": { "path": "/x" } }])
    );
}

#[test]
fn words_are_a_set() {
    let current = json!({ "metadata": { "finalizers": ["a", "b"] } });
    let add = json!({ "metadata": { "finalizers": ["c", "a"] } });
    assert_eq!(
        patched(&current, &add)["metadata"]["finalizers"],
        json!(["c", "a", "b"])
    );
    let remove = json!({ "metadata": { "$deleteFromPrimitiveList/finalizers": ["a"] } });
    assert_eq!(patched(&current, &remove)["metadata"]["finalizers"], json!(["b"]));
}

#[test]
fn other_lists_are_replaced() {
    let current = json!({ "spec": { "containers": [{ "name": "a", "args": ["1", "2"] }], "tolerations": [{ "key": "x" }] } });
    let patch = json!({ "spec": { "containers": [{ "name": "a", "args": ["3"] }], "tolerations": [{ "key": "y" }] } });
    assert_eq!(patched(&current, &patch), patch);
}

#[test]
fn ports_of_one_number_differ_by_protocol() {
    let current = json!({ "spec": { "containers": [{ "name": "dns", "ports": [
        { "containerPort": 53, "protocol": "TCP" }, { "containerPort": 53, "protocol": "UDP" }] }] } });
    let patch = json!({ "spec": { "containers": [{ "name": "dns", "ports": [
        { "containerPort": 53, "protocol": "UDP", "name": "dns" }] }] } });
    let ports = &patched(&current, &patch)["spec"]["containers"][0]["ports"];
    assert_eq!(
        *ports,
        json!([{ "containerPort": 53, "protocol": "TCP" }, { "containerPort": 53, "protocol": "UDP", "name": "dns" }])
    );
}

#[test]
fn nonsense_is_refused() {
    let error = |patch: Value| {
        strategic(&containers(&["a"]), &patch, Kind::Pod)
            .unwrap_err()
            .to_string()
    };
    expect!["a patch must be a mapping"].assert_eq(&error(json!([])));
    expect!["spec.containers[0]: has no `name`, by which items of this list are merged"]
        .assert_eq(&error(json!({ "spec": { "containers": [{ "image": "x" }] } })));
    expect!["spec.$patch: `explode` is not one of merge, replace, delete"]
        .assert_eq(&error(json!({ "spec": { "$patch": "explode" } })));
    expect!["spec.$what: is not a directive"].assert_eq(&error(json!({ "spec": { "$what": 1 } })));
    expect!["spec.$retainKeys: must list `hostname`, which the patch sets"].assert_eq(&error(
        json!({ "spec": { "$retainKeys": ["volumes"], "hostname": "x" } }),
    ));
    expect!["spec.containers: $setElementOrder does not list `b`, which the patch sets"].assert_eq(&error(json!({ "spec": { "containers": [{ "name": "b" }], "$setElementOrder/containers": [{ "name": "a" }] } })));
}

fn deployment() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": "web", "annotations": { "note": "x" } },
        "spec": {
            "replicas": 3,
            "selector": { "matchLabels": { "app": "web" } },
            "template": {
                "metadata": { "labels": { "app": "web", "tier": "front" } },
                "spec": {
                    "containers": [
                        { "name": "web", "image": "web:v1", "ports": [{ "containerPort": 80 }, { "containerPort": 53, "protocol": "UDP" }],
                          "env": [{ "name": "A", "value": "1" }, { "name": "B", "value": "2" }],
                          "livenessProbe": { "httpGet": { "port": 80 }, "initialDelay": 5 },
                          "resources": { "limits": { "cpu": "1000m" } },
                          "volumeMounts": [{ "name": "v", "mountPath": "/v" }] },
                        { "name": "side", "image": "side" },
                    ],
                    "volumes": [{ "name": "v", "emptyDir": {} }],
                },
            },
        },
    })
}

/// What is stored after a document was taken in.
fn stored(document: Value) -> Value {
    let decoded = decode(document, Validation::Strict).unwrap_or_else(|errors| panic!("{errors:#?}"));
    let mut value = decoded.object.to_value();
    value["metadata"]["uid"] = "1-2".into();
    value["metadata"]["resourceVersion"] = "7".into();
    value
}

fn applied(last: &Value, live: &Value, desired: &Value) -> Value {
    stored(three_way(Some(last), live, desired, Kind::Deployment))
}

fn container(document: &mut Value, index: usize) -> &mut Value {
    &mut document["spec"]["template"]["spec"]["containers"][index]
}

#[test]
fn applying_again_changes_nothing() {
    let live = stored(deployment());
    assert_eq!(applied(&deployment(), &live, &deployment()), live);
    assert_eq!(
        stored(three_way(None, &live, &deployment(), Kind::Deployment)),
        live
    );
}

#[test]
fn what_was_applied_and_is_left_out_goes_away() {
    let live = stored(deployment());
    let mut desired = deployment();
    desired["metadata"].as_object_mut().unwrap().remove("annotations");
    desired["spec"].as_object_mut().unwrap().remove("replicas");
    desired["spec"]["template"]["metadata"]["labels"] = json!({ "app": "web" });
    container(&mut desired, 0)["env"] = json!([{ "name": "B", "value": "3" }]);
    container(&mut desired, 0)["ports"] = json!([{ "containerPort": 53, "protocol": "UDP" }]);
    desired["spec"]["template"]["spec"]["containers"]
        .as_array_mut()
        .unwrap()
        .pop();
    let merged = applied(&deployment(), &live, &desired);
    assert_eq!(merged, stored(desired));
}

#[test]
fn what_others_added_stays() {
    let mut live = stored(deployment());
    live["metadata"]["annotations"]["other"] = "y".into();
    live["spec"]["replicas"] = 5.into();
    container(&mut live, 0)["env"]
        .as_array_mut()
        .unwrap()
        .push(json!({ "name": "C", "value": "9" }));
    let sidecar = json!({ "name": "injected", "image": "i:1" });
    live["spec"]["template"]["spec"]["containers"]
        .as_array_mut()
        .unwrap()
        .insert(1, sidecar);
    let mut desired = deployment();
    desired["spec"].as_object_mut().unwrap().remove("replicas");
    let last = desired.clone();
    container(&mut desired, 0)["image"] = "web:v2".into();
    let mut merged = applied(&last, &live, &desired);
    assert_eq!(container(&mut merged, 0)["image"], "web:v2");
    assert_eq!(names(&container(&mut merged, 0)["env"]), ["A", "B", "C"]);
    assert_eq!(
        names(&merged["spec"]["template"]["spec"]["containers"]),
        ["web", "injected", "side"]
    );
    assert_eq!(merged["metadata"]["annotations"]["other"], "y");
    assert_eq!(merged["spec"]["replicas"], 5);
    assert_eq!(merged["metadata"]["uid"], "1-2");
}

#[test]
fn another_choice_leaves_no_remains() {
    let live = stored(deployment());
    let mut desired = deployment();
    desired["spec"]["strategy"] = json!({ "type": "Recreate" });
    desired["spec"]["template"]["spec"]["volumes"] = json!([{ "name": "v", "configMap": { "name": "c" } }]);
    let merged = applied(&deployment(), &live, &desired);
    assert_eq!(merged["spec"]["strategy"], json!({ "type": "Recreate" }));
    let volume = &merged["spec"]["template"]["spec"]["volumes"][0];
    assert_eq!(
        (volume.get("emptyDir"), volume["configMap"]["name"].as_str()),
        (None, Some("c"))
    );
}

#[test]
fn text_left_out_of_a_secret_goes_away() {
    let secret = |texts: Value| json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "s" }, "stringData": texts });
    let (old, new) = (secret(json!({ "a": "1", "b": "2" })), secret(json!({ "a": "3" })));
    let live = stored(old.clone());
    let merged = stored(three_way(Some(&old), &live, &new, Kind::Secret));
    assert_eq!(merged["data"], json!({ "a": "Mw==" }));
}

fn plausible() -> impl Strategy<Value = Value> {
    let word = prop::sample::select(vec![
        "spec",
        "containers",
        "name",
        "env",
        "ports",
        "containerPort",
        "finalizers",
        "metadata",
        "volumes",
        "$patch",
        "$retainKeys",
        "$setElementOrder/containers",
        "$deleteFromPrimitiveList/finalizers",
        "a",
        "b",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        (0..3).prop_map(Value::from),
        prop::sample::select(vec!["a", "b", "replace", "delete", "merge"]).prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 48, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(word.clone().prop_map(str::to_owned), inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn merging_never_panics_and_leaves_no_directive(current in plausible(), patch in plausible(), last in plausible()) {
        let _ = strategic(&current, &patch, Kind::Pod);
        let _ = three_way(Some(&last), &current, &patch, Kind::Pod);
        if let Ok(merged) = strategic(&json!({}), &json!({ "metadata": patch }), Kind::Pod) {
            prop_assert!(!merged["metadata"].as_object().is_some_and(|meta| meta.keys().any(|key| key.starts_with('$'))));
        }
    }
}

#[test]
fn status_in_a_document_is_neither_set_nor_removed() {
    let mut last = deployment();
    last["status"] = json!({ "replicas": 1 });
    let mut live = stored(deployment());
    live["status"] = json!({ "replicas": 3 });
    let merged = three_way(Some(&last), &live, &deployment(), Kind::Deployment);
    assert_eq!(merged["status"]["replicas"], 3);
}

#[test]
fn ten_thousand_items_merge_at_once() {
    let env: Vec<_> = (0..10_000)
        .map(|number| json!({ "name": format!("V{number}"), "value": "x" }))
        .collect();
    let pod = json!({ "spec": { "containers": [{ "name": "a", "env": env }] } });
    assert_eq!(patched(&pod, &pod), pod);
    assert_eq!(three_way(Some(&pod), &pod, &pod, Kind::Pod), pod);
}
