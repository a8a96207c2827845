//! Documents through the one door: what is accepted, what is refused, and in which words.

use expect_test::{Expect, expect};
use serde_json::{Value, json};
use skep_api::{
    IntOrString, Object, Resource,
    admit::{Decoded, Validation, decode},
};

/// Merges `changes` into `document`, at any depth; `null` removes.
fn with(mut document: Value, changes: &Value) -> Value {
    fn merge(into: &mut Value, changes: &Value) {
        match (into, changes) {
            (Value::Object(into), Value::Object(changes)) => {
                for (name, change) in changes {
                    if change.is_null() {
                        into.remove(name);
                    } else {
                        merge(into.entry(name).or_insert(Value::Null), change);
                    }
                }
            }
            (Value::Array(into), Value::Array(changes)) => {
                for (index, change) in changes.iter().enumerate() {
                    if index < into.len() {
                        merge(&mut into[index], change);
                    } else {
                        into.push(change.clone());
                    }
                }
            }
            (into, changes) => *into = changes.clone(),
        }
    }
    merge(&mut document, changes);
    document
}

fn pod() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": "web" },
        "spec": { "containers": [{ "name": "web", "image": "web:v1" }] },
    })
}

fn deployment() -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": { "name": "web" },
        "spec": {
            "selector": { "matchLabels": { "app": "web" } },
            "template": {
                "metadata": { "labels": { "app": "web" } },
                "spec": { "containers": [{ "name": "web", "image": "web:v1" }] },
            },
        },
    })
}

fn accepted(document: Value) -> Decoded {
    decode(document, Validation::Strict).unwrap_or_else(|errors| panic!("refused: {errors:#?}"))
}

fn lines(document: Value, validation: Validation) -> String {
    match decode(document, validation) {
        Ok(decoded) => decoded
            .warnings
            .iter()
            .map(|warning| format!("warning {warning}\n"))
            .collect(),
        Err(errors) => errors
            .iter()
            .map(|error| format!("{} {error}\n", error.reason))
            .collect(),
    }
}

fn refused(document: Value, expected: &Expect) {
    let lines = lines(document, Validation::Strict);
    assert!(
        !lines.is_empty() && !lines.starts_with("warning"),
        "accepted: {lines}"
    );
    expected.assert_eq(&lines);
}

fn as_pod(object: &Object) -> &skep_api::Pod {
    Resource::from_object(object).expect("a pod")
}

fn as_deployment(object: &Object) -> &skep_api::Deployment {
    Resource::from_object(object).expect("a deployment")
}

#[test]
fn smallest_pod_gets_defaults() {
    let decoded = accepted(pod());
    assert!(decoded.warnings.is_empty());
    let text = serde_json::to_string_pretty(&decoded.object.to_value()).unwrap();
    expect![[r#"
        {
          "apiVersion": "v1",
          "kind": "Pod",
          "metadata": {
            "name": "web",
            "namespace": "default"
          },
          "spec": {
            "containers": [
              {
                "image": "web:v1",
                "imagePullPolicy": "IfNotPresent",
                "name": "web",
                "terminationMessagePath": "/dev/termination-log"
              }
            ],
            "dnsPolicy": "ClusterFirst",
            "restartPolicy": "Always",
            "schedulerName": "default-scheduler",
            "terminationGracePeriodSeconds": 30
          }
        }"#]].assert_eq(&text);
}

#[test]
fn everything_wrong_is_said_at_once() {
    let document = with(
        deployment(),
        &json!({ "spec": {
            "replicas": "three",
            "paused": "yes",
            "template": { "spec": {
                "restartPolicy": "Sometimes",
                "containers": [{
                    "image": 5,
                    "command": "run",
                    "resources": { "limits": { "cpu": "lots" } },
                    "ports": [{ "containerPort": 1.5 }, { "containerPort": 3_000_000_000_u64 }],
                    "livenessProbe": { "httpGet": [] },
                }],
            } },
        } }),
    );
    refused(document, &expect![[r#"
        WrongType spec.paused: is a string, should be true or false
        WrongType spec.replicas: is a string, should be a number
        WrongType spec.template.spec.containers[0].command: is a string, should be a list
        WrongType spec.template.spec.containers[0].image: is a number, should be a string: put it in quotes
        WrongType spec.template.spec.containers[0].livenessProbe.httpGet: is a list, should be a mapping
        WrongType spec.template.spec.containers[0].ports[0].containerPort: 1.5 is not a whole number
        Invalid spec.template.spec.containers[0].ports[1].containerPort: 3000000000 is not between -2147483648 and 2147483647
        Invalid spec.template.spec.containers[0].resources.limits[cpu]: `lots` is not a quantity: write a number with an optional suffix, such as 250m, 0.5, 1Gi or 1e3
        NotSupported spec.template.spec.restartPolicy: `Sometimes` is not supported: write one of `Always`, `OnFailure`, `Never`
    "#]]);
}

#[test]
fn port_out_of_range_is_named_by_its_path() {
    let ports = json!([{ "containerPort": 8080 }, { "containerPort": 70000 }]);
    let document = with(
        deployment(),
        &json!({ "spec": { "template": { "spec": { "containers": [{ "ports": ports }] } } } }),
    );
    refused(document, &expect![]);
}

#[test]
fn unknown_fields_are_all_named_with_what_was_meant() {
    let document = with(
        deployment(),
        &json!({ "metdata": {}, "spec": { "replcias": 2, "containers": [], "nonsense": 1,
            "template": { "spec": { "containers": [{ "imagePullpolicy": "Always" }] } } } }),
    );
    refused(document.clone(), &expect![]);
    expect![].assert_eq(&lines(document.clone(), Validation::Warn));
    expect![[""]].assert_eq(&lines(document, Validation::Ignore));
}

#[test]
fn unimplemented_fields_are_refused_or_dropped_with_a_warning() {
    let document = with(
        pod(),
        &json!({ "spec": { "affinity": { "nodeAffinity": {} }, "priorityClassName": "high",
            "containers": [{ "lifecycle": { "stopSignal": "SIGINT" }, "resizePolicy": [{}] }] } }),
    );
    refused(document.clone(), &expect![]);
    expect![].assert_eq(&lines(document, Validation::Warn));
}

#[test]
fn security_fields_are_refused_under_every_validation() {
    let document = with(
        pod(),
        &json!({ "spec": { "runtimeClassName": "gvisor", "hostUsers": false,
            "securityContext": { "seLinuxOptions": { "level": "s0" }, "fsGroupChangePolicy": "OnRootMismatch" },
            "containers": [{ "securityContext": { "procMount": "Unmasked" } }] } }),
    );
    for validation in [Validation::Strict, Validation::Warn, Validation::Ignore] {
        expect![].assert_eq(&lines(document.clone(), validation));
    }
}

#[test]
fn exported_manifest_is_taken_as_it_is() {
    let exported = with(
        pod(),
        &json!({
            "metadata": { "managedFields": [{ "manager": "kubectl" }], "selfLink": "/api/v1/pods/web",
                "creationTimestamp": null, "uid": "4f3c", "resourceVersion": "17" },
            "spec": {
                "enableServiceLinks": true, "serviceAccountName": "default", "serviceAccount": "default",
                "automountServiceAccountToken": false, "priority": 0, "preemptionPolicy": "PreemptLowerPriority",
                "schedulerName": "default-scheduler", "dnsPolicy": "ClusterFirst", "securityContext": {},
                "affinity": {}, "restartPolicy": "Always", "terminationGracePeriodSeconds": 30,
                "containers": [{ "resources": {}, "terminationMessagePath": "/dev/termination-log",
                    "terminationMessagePolicy": "File" }],
            },
            "status": { "phase": "Running", "hostIPs": [{ "ip": "10.0.0.1" }], "qosClass": "BestEffort" },
        }),
    );
    let decoded = accepted(exported);
    assert!(decoded.warnings.is_empty(), "{:?}", decoded.warnings);
    assert_eq!(as_pod(&decoded.object).status.phase, skep_api::PodPhase::Running);
    let odd = with(pod(), &json!({ "status": { "phase": "Dreaming" } }));
    assert_eq!(
        as_pod(&accepted(odd).object).status,
        skep_api::PodStatus::default()
    );
}

#[test]
fn probe_aliases_are_taken_once() {
    let probe = json!({ "tcpSocket": { "port": 80 }, "initialDelay": 30, "period": 7 });
    let decoded = accepted(with(
        pod(),
        &json!({ "spec": { "containers": [{ "livenessProbe": probe }] } }),
    ));
    let probe = as_pod(&decoded.object).spec.containers[0]
        .liveness_probe
        .clone()
        .unwrap();
    assert_eq!((probe.initial_delay_seconds, probe.period_seconds), (30, 7));
    let twice = json!({ "tcpSocket": { "port": 80 }, "initialDelay": 30, "initialDelaySeconds": 30 });
    refused(
        with(
            pod(),
            &json!({ "spec": { "containers": [{ "livenessProbe": twice }] } }),
        ),
        &expect![],
    );
}

#[test]
fn template_labels_left_out_are_taken_from_the_selector() {
    let document = with(
        deployment(),
        &json!({ "spec": { "template": { "metadata": null } } }),
    );
    let decoded = accepted(document);
    expect![].assert_eq(&decoded.warnings.join("\n"));
    assert_eq!(
        as_deployment(&decoded.object).spec.template.metadata.labels["app"],
        "web"
    );
}

#[test]
fn deployment_needs_a_selector_that_matches() {
    refused(
        with(deployment(), &json!({ "spec": { "selector": null } })),
        &expect![[r#"
            Required spec.selector: is missing; write matchLabels with labels of the template
        "#]],
    );
    let other = json!({ "spec": { "selector": { "matchLabels": { "app": "other" } } } });
    refused(with(deployment(), &other), &expect![[r#"
        Invalid spec.template.metadata.labels: must match spec.selector (app=other)
    "#]]);
}

#[test]
fn rolling_update_defaults_to_a_quarter() {
    let decoded = accepted(deployment());
    let update = as_deployment(&decoded.object)
        .spec
        .strategy
        .rolling_update
        .clone()
        .unwrap();
    assert_eq!(
        (update.max_surge, update.max_unavailable),
        (IntOrString::from("25%"), IntOrString::from("25%"))
    );
}

#[test]
fn strategy_must_be_able_to_move() {
    let rolling = |surge: Value, unavailable: Value| json!({ "spec": { "strategy": { "rollingUpdate": { "maxSurge": surge, "maxUnavailable": unavailable } } } });
    refused(with(deployment(), &rolling(json!(0), json!("0%"))), &expect![]);
    refused(
        with(deployment(), &rolling(json!("a lot"), json!("120%"))),
        &expect![],
    );
    accepted(with(deployment(), &rolling(json!(1), json!(0))));
    let recreate = json!({ "spec": { "strategy": { "type": "Recreate", "rollingUpdate": {} }, "minReadySeconds": 600 } });
    refused(with(deployment(), &recreate), &expect![]);
}

#[test]
fn template_is_for_pods_that_run_for_ever() {
    let spec = json!({ "restartPolicy": "Never", "activeDeadlineSeconds": 5 });
    refused(
        with(deployment(), &json!({ "spec": { "template": { "spec": spec } } })),
        &expect![],
    );
}

#[test]
fn names_and_metadata_follow_the_rules() {
    let document = with(
        pod(),
        &json!({ "metadata": { "name": "Web_1", "namespace": "a.b", "labels": { "-x": "ok", "app": "a b" },
            "annotations": { "Example.com/Note": "fine", "x": "y".repeat(300 << 10) },
            "finalizers": ["orphan", "foregroundDeletion"],
            "ownerReferences": [{ "kind": "ReplicaSet", "controller": true }, { "controller": true }] } }),
    );
    refused(document, &expect![]);
    refused(with(pod(), &json!({ "metadata": { "name": null } })), &expect![]);
    accepted(with(
        pod(),
        &json!({ "metadata": { "name": null, "generateName": "web-" } }),
    ));
    let node = json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": "a", "namespace": "b" },
        "spec": { "podCIDR": "10.0.0.0", "taints": [{ "key": "gpu" }, { "key": "gpu" }, { "value": "x y" }] } });
    refused(node, &expect![]);
}

#[test]
fn duplicates_are_found() {
    let document = with(
        pod(),
        &json!({ "spec": {
            "initContainers": [{ "name": "web", "image": "a:1" }],
            "volumes": [{ "name": "v", "emptyDir": {} }, { "name": "v", "emptyDir": {} }],
            "containers": [
                { "ports": [{ "containerPort": 80, "name": "http", "hostPort": 80 }, { "containerPort": 80, "name": "http", "hostPort": 80 }],
                  "volumeMounts": [{ "name": "v", "mountPath": "/a" }, { "name": "v", "mountPath": "/a/" }] },
                { "name": "other", "image": "b:1", "ports": [{ "containerPort": 81, "hostPort": 80 }] },
            ],
        } }),
    );
    refused(document, &expect![]);
}

#[test]
fn volumes_have_one_source_and_mounts_a_volume() {
    let document = with(
        pod(),
        &json!({ "spec": {
            "volumes": [
                { "name": "none" },
                { "name": "two", "emptyDir": {}, "hostPath": { "path": "relative/../up" } },
                { "name": "cm", "configMap": { "defaultMode": 1000, "items": [{ "key": "a", "path": "/abs" }, { "path": "../b" }] } },
                { "name": "all", "projected": { "sources": [
                    { "secret": { "name": "s", "items": [{ "key": "a", "path": "x" }] } },
                    { "configMap": { "name": "c", "items": [{ "key": "a", "path": "x" }] } },
                    { "downwardAPI": { "items": [{ "path": "l", "fieldRef": { "fieldPath": "spec.nodeName" } }] } },
                ] } },
            ],
            "containers": [{ "volumeMounts": [
                { "name": "missing", "mountPath": "data", "subPath": "/x" },
                { "name": "two", "mountPath": "/b", "subPath": "a/../../b", "mountPropagation": "Bidirectional" },
            ] }],
        } }),
    );
    refused(document, &expect![]);
}

#[test]
fn variables_come_from_one_place() {
    let document = with(
        pod(),
        &json!({ "spec": { "containers": [{
            "env": [
                { "name": "1A", "value": "x" },
                { "name": "BOTH", "value": "x", "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } } },
                { "name": "NONE", "valueFrom": {} },
                { "name": "TWO", "valueFrom": { "secretKeyRef": { "name": "s", "key": "k" }, "configMapKeyRef": { "name": "c" } } },
                { "name": "FIELD", "valueFrom": { "fieldRef": { "fieldPath": "spec.hostname" } } },
                { "name": "RES", "valueFrom": { "resourceFieldRef": { "resource": "limits.gpu", "containerName": "x", "divisor": "3" } } },
                { "name": "LABEL", "valueFrom": { "fieldRef": { "fieldPath": "metadata.labels['app']" } } },
            ],
            "envFrom": [{ "prefix": "9", "configMapRef": { "name": "c" } }, {}],
        }] } }),
    );
    refused(document, &expect![]);
}

#[test]
fn repeated_variable_is_a_warning() {
    let env = json!([{ "name": "A", "value": "1" }, { "name": "A", "value": "2" }]);
    let document = with(pod(), &json!({ "spec": { "containers": [{ "env": env }] } }));
    expect![[r#"
        Invalid spec.containers[0].resources.requests[example.com/gpu]: 500m is not a whole number; extended resources are counted in wholes
        Invalid spec.containers[0].resources.requests[hugepages-2Mi]: is not implemented by skep
        Invalid spec.containers[0].resources.requests[memory]: -1 is below 0
        Invalid spec.containers[0].resources.requests[tpu]: is not a resource: write one of cpu, memory, ephemeral-storage, or a name such as example.com/gpu
        Invalid spec.containers[0].resources.limits[hugepages-2Mi]: is not implemented by skep
        Invalid spec.containers[0].resources.requests[cpu]: 2 is more than the limit of 1
        Required spec.containers[0].resources.limits[example.com/gpu]: is missing; an extended resource needs a limit equal to its request
    "#]].assert_eq(&lines(document, Validation::Strict));
}

#[test]
fn resources_are_sound() {
    let resources = json!({
        "requests": { "cpu": "2", "memory": "-1", "example.com/gpu": "500m", "tpu": 1 },
        "limits": { "cpu": "1", "hugepages-2Mi": "4Mi", "example.com/nic": 1 },
    });
    refused(
        with(
            pod(),
            &json!({ "spec": { "containers": [{ "resources": resources }] } }),
        ),
        &expect![],
    );
    let limits = json!({ "limits": { "cpu": 0.5, "memory": "1Gi", "example.com/gpu": 2 } });
    let decoded = accepted(with(
        pod(),
        &json!({ "spec": { "containers": [{ "resources": limits }] } }),
    ));
    let resources = &as_pod(&decoded.object).spec.containers[0].resources;
    assert_eq!(resources.requests, resources.limits);
    assert_eq!(resources.requests["cpu"].to_string(), "500m");
}

#[test]
fn probes_and_handlers_are_sound() {
    let document = with(
        pod(),
        &json!({ "spec": {
            "initContainers": [{ "name": "init", "image": "a:1", "livenessProbe": { "exec": { "command": ["x"] } } }],
            "containers": [{
                "ports": [{ "containerPort": 80, "name": "http" }],
                "livenessProbe": { "httpGet": { "port": "web" }, "successThreshold": 2, "periodSeconds": -1 },
                "readinessProbe": { "exec": {}, "grpc": { "port": 0 }, "terminationGracePeriodSeconds": 4 },
                "startupProbe": { "initialDelaySeconds": 3 },
                "lifecycle": { "preStop": {}, "postStart": { "sleep": { "seconds": 31 } } },
            }],
        } }),
    );
    refused(document, &expect![]);
    let probe = json!({ "httpGet": { "port": "http" }, "periodSeconds": 0 });
    let ports = json!([{ "containerPort": 80, "name": "http" }]);
    let decoded = accepted(with(
        pod(),
        &json!({ "spec": { "containers": [{ "livenessProbe": probe, "ports": ports }] } }),
    ));
    let probe = as_pod(&decoded.object).spec.containers[0]
        .liveness_probe
        .clone()
        .unwrap();
    assert_eq!(
        (probe.http_get.unwrap().path.as_str(), probe.period_seconds),
        ("/", 10)
    );
}

#[test]
fn security_contexts_are_sound() {
    let document = with(
        pod(),
        &json!({ "spec": {
            "hostNetwork": true, "hostPID": true, "hostIPC": true, "shareProcessNamespace": true,
            "securityContext": { "runAsNonRoot": true, "fsGroup": -1, "supplementalGroups": [1, 3_000_000_000_i64],
                "seccompProfile": { "type": "Localhost", "localhostProfile": "/etc/x" },
                "sysctls": [{ "name": "net.core.somaxconn" }, { "name": "kernel.sem" }, { "name": "Bad" }, { "name": "Bad" }] },
            "containers": [{ "securityContext": { "runAsUser": 0, "allowPrivilegeEscalation": false, "privileged": true,
                "capabilities": { "add": ["SYS_ADMIN", "CAP_NET_ADMIN", "FLY"], "drop": ["ALL"] },
                "seccompProfile": { "localhostProfile": "x" } } }],
        } }),
    );
    refused(document, &expect![]);
}

#[test]
fn host_network_takes_host_ports() {
    let document = with(
        pod(),
        &json!({ "spec": { "hostNetwork": true, "containers": [{ "ports": [{ "containerPort": 80 }] }] } }),
    );
    assert_eq!(
        as_pod(&accepted(document).object).spec.containers[0].ports[0].host_port,
        80
    );
    let document = with(
        pod(),
        &json!({ "spec": { "hostNetwork": true, "containers": [{ "ports": [{ "containerPort": 80, "hostPort": 81 }] }] } }),
    );
    refused(document, &expect![]);
}

#[test]
fn placement_dns_and_hosts_are_sound() {
    let document = with(
        pod(),
        &json!({ "spec": {
            "schedulerName": "mine", "nodeName": "A", "nodeSelector": { "disk": "s s d" }, "hostname": "a.b",
            "terminationGracePeriodSeconds": -5, "activeDeadlineSeconds": 0, "imagePullSecrets": [{}],
            "tolerations": [{ "value": "x" }, { "key": "a", "operator": "Exists", "value": "x" },
                { "key": "a", "effect": "NoSchedule", "tolerationSeconds": 5 }],
            "dnsPolicy": "None", "dnsConfig": { "searches": ["-x"], "options": [{}] },
            "hostAliases": [{ "ip": "1.2.3", "hostnames": ["a_b"] }, { "ip": "1.2.3" }],
        } }),
    );
    refused(document, &expect![]);
}

#[test]
fn pull_policy_follows_the_tag() {
    for (image, policy) in [
        ("web", "Always"),
        ("web:latest", "Always"),
        ("registry:5000/web", "Always"),
        ("registry:5000/web:v1", "IfNotPresent"),
        ("web@sha256:00", "IfNotPresent"),
    ] {
        let decoded = accepted(with(
            pod(),
            &json!({ "spec": { "containers": [{ "image": image }] } }),
        ));
        let stated = as_pod(&decoded.object).spec.containers[0]
            .image_pull_policy
            .unwrap();
        assert_eq!(format!("{stated:?}"), policy, "{image}");
    }
}

#[test]
fn secrets_are_sound() {
    let secret = |fields: Value| {
        with(
            json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "s" } }),
            &fields,
        )
    };
    let decoded = accepted(secret(
        json!({ "stringData": { "password": "hunter2" }, "data": { "password": "eA==" } }),
    ));
    let Object::Secret(stored) = decoded.object else {
        panic!("not a secret")
    };
    assert_eq!(
        (stored.data["password"].as_str(), stored.r#type.as_str()),
        ("aHVudGVyMg==", "Opaque")
    );
    assert!(stored.string_data.is_empty());
    refused(
        secret(json!({ "data": { "a": "%%", "..": "", "b/c": "" } })),
        &expect![],
    );
    refused(
        secret(
            json!({ "type": "kubernetes.io/dockerconfigjson", "stringData": { ".dockerconfigjson": "{}" } }),
        ),
        &expect![],
    );
    refused(
        secret(json!({ "type": "kubernetes.io/tls", "stringData": { "tls.crt": "x" } })),
        &expect![],
    );
    refused(
        secret(json!({ "stringData": { "big": "x".repeat((1 << 20) + 1) } })),
        &expect![],
    );
}

#[test]
fn config_maps_are_sound() {
    let document = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "c" },
        "data": { "a": "x", "n": 5 }, "binaryData": { "a": "eA==" } });
    refused(document.clone(), &expect![[r#"
        WrongType data[n]: is a number, should be a string: put it in quotes
    "#]]);
    refused(with(document, &json!({ "data": { "n": "5" } })), &expect![[r#"
        Duplicate binaryData[a]: `a` appears more than once
    "#]]);
}

#[test]
fn head_of_a_document_is_checked_first() {
    refused(json!([]), &expect![[r#"
        TooLong is 2097230 bytes long, 1572864 are allowed for one object
    "#]]);
    refused(json!({ "kind": "Pod" }), &expect![]);
    refused(json!({ "apiVersion": "v1" }), &expect![]);
    refused(
        json!({ "apiVersion": "extensions/v1beta1", "kind": "Deployment" }),
        &expect![],
    );
    refused(
        json!({ "apiVersion": "apps/v1", "kind": "Deploymnt" }),
        &expect![],
    );
    refused(json!({ "apiVersion": "v1", "kind": "Service" }), &expect![]);
}

#[test]
fn object_of_two_mebibytes_is_refused() {
    let document = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "c" },
        "data": { "a": "x".repeat(2 << 20) } });
    refused(document, &expect![]);
}

#[test]
fn namespace_and_event_get_what_they_need() {
    let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "production" } });
    let Object::Namespace(namespace) = accepted(namespace).object else {
        panic!("not a namespace")
    };
    assert_eq!(namespace.spec.finalizers, ["kubernetes"]);
    let event = json!({ "apiVersion": "v1", "kind": "Event", "metadata": { "name": "e", "namespace": "other" },
        "involvedObject": { "kind": "Pod", "name": "web", "namespace": "production" } });
    refused(event, &expect![]);
}

#[test]
fn defaults_applied_again_change_nothing() {
    for document in [pod(), deployment()] {
        let once = accepted(document).object;
        let again = accepted(once.to_value());
        assert_eq!(again.object, once);
        assert!(again.warnings.is_empty());
    }
}
