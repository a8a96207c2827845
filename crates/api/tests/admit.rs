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
        }"#]]
    .assert_eq(&text);
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
    refused(
        document,
        &expect![[r#"
        WrongType spec.paused: is a string, should be true or false
        WrongType spec.replicas: is a string, should be a number
        WrongType spec.template.spec.containers[0].command: is a string, should be a list
        WrongType spec.template.spec.containers[0].image: is a number, should be a string: put it in quotes
        WrongType spec.template.spec.containers[0].livenessProbe.httpGet: is a list, should be a mapping
        WrongType spec.template.spec.containers[0].ports[0].containerPort: 1.5 is not a whole number
        Invalid spec.template.spec.containers[0].ports[1].containerPort: 3000000000 is not between -2147483648 and 2147483647
        Invalid spec.template.spec.containers[0].resources.limits[cpu]: `lots` is not a quantity: write a number with an optional suffix, such as 250m, 0.5, 1Gi or 1e3
        NotSupported spec.template.spec.restartPolicy: `Sometimes` is not supported: write one of `Always`, `OnFailure`, `Never`
    "#]],
    );
}

#[test]
fn port_out_of_range_is_named_by_its_path() {
    let ports = json!([{ "containerPort": 8080 }, { "containerPort": 70000 }]);
    let document = with(
        deployment(),
        &json!({ "spec": { "template": { "spec": { "containers": [{ "ports": ports }] } } } }),
    );
    refused(
        document,
        &expect![[r#"
        Invalid spec.template.spec.containers[0].ports[1].containerPort: 70000 is not between 1 and 65535
    "#]],
    );
}

#[test]
fn unknown_fields_are_all_named_with_what_was_meant() {
    let document = with(
        deployment(),
        &json!({ "metdata": {}, "spec": { "replcias": 2, "containers": [], "nonsense": 1,
            "template": { "spec": { "containers": [{ "imagePullpolicy": "Always" }] } } } }),
    );
    refused(
        document.clone(),
        &expect![[r#"
        Unknown metdata: is not a known field; did you mean `metadata`?
        Unknown spec.containers: is not a known field; did you mean `template.spec.containers`?
        Unknown spec.nonsense: is not a known field
        Unknown spec.replcias: is not a known field; did you mean `replicas`?
        Unknown spec.template.spec.containers[0].imagePullpolicy: is not a known field; did you mean `imagePullPolicy`?
    "#]],
    );
    expect![[r#"
        warning metdata: is not a known field and is dropped; did you mean `metadata`?
        warning spec.containers: is not a known field and is dropped; did you mean `template.spec.containers`?
        warning spec.nonsense: is not a known field and is dropped
        warning spec.replcias: is not a known field and is dropped; did you mean `replicas`?
        warning spec.template.spec.containers[0].imagePullpolicy: is not a known field and is dropped; did you mean `imagePullPolicy`?
    "#]].assert_eq(&lines(document.clone(), Validation::Warn));
    expect![[""]].assert_eq(&lines(document, Validation::Ignore));
}

#[test]
fn unimplemented_fields_are_refused_or_dropped_with_a_warning() {
    let document = with(
        pod(),
        &json!({ "spec": { "ephemeralContainers": [{}], "subdomain": "web",
            "containers": [{ "lifecycle": { "stopSignal": "SIGINT" }, "resizePolicy": [{}] }] } }),
    );
    refused(
        document.clone(),
        &expect![[r#"
            NotImplemented spec.containers[0].lifecycle.stopSignal: is not implemented by skep
            NotImplemented spec.containers[0].resizePolicy: is not implemented by skep
            NotImplemented spec.ephemeralContainers: is not implemented by skep
            NotImplemented spec.subdomain: is not implemented by skep
        "#]],
    );
    expect![[r#"
        warning spec.containers[0].lifecycle.stopSignal: is not implemented by skep and is dropped
        warning spec.containers[0].resizePolicy: is not implemented by skep and is dropped
        warning spec.ephemeralContainers: is not implemented by skep and is dropped
        warning spec.subdomain: is not implemented by skep and is dropped
    "#]]
    .assert_eq(&lines(document, Validation::Warn));
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
        expect![[r#"
            NotImplemented spec.containers[0].securityContext.procMount: is not implemented by skep, and is refused because it concerns security
            NotImplemented spec.hostUsers: is not implemented by skep, and is refused because it concerns security
            NotImplemented spec.runtimeClassName: is not implemented by skep, and is refused because it concerns security
            NotImplemented spec.securityContext.fsGroupChangePolicy: is not implemented by skep, and is refused because it concerns security
            NotImplemented spec.securityContext.seLinuxOptions: is not implemented by skep, and is refused because it concerns security
        "#]].assert_eq(&lines(document.clone(), validation));
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
        &expect![[r#"
            Duplicate spec.containers[0].livenessProbe.initialDelay: is another way to write `initialDelaySeconds`, which is set too; remove one of them
        "#]],
    );
}

#[test]
fn template_labels_left_out_are_taken_from_the_selector() {
    let document = with(
        deployment(),
        &json!({ "spec": { "template": { "metadata": null } } }),
    );
    let decoded = accepted(document);
    expect!["spec.template.metadata.labels: left out; taken from spec.selector.matchLabels (app=web)"]
        .assert_eq(&decoded.warnings.join("\n"));
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
    refused(
        with(deployment(), &other),
        &expect![[r#"
        Invalid spec.template.metadata.labels: must match spec.selector (app=other)
    "#]],
    );
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
    refused(
        with(deployment(), &rolling(json!(0), json!("0%"))),
        &expect![[r#"
        Invalid spec.strategy.rollingUpdate.maxUnavailable: may not be 0 where maxSurge is 0: no pod could ever be replaced
    "#]],
    );
    refused(
        with(deployment(), &rolling(json!("a lot"), json!("120%"))),
        &expect![[r#"
            Invalid spec.strategy.rollingUpdate.maxSurge: `a lot` is neither a number nor a percentage such as 25%
            Invalid spec.strategy.rollingUpdate.maxUnavailable: 120% is more than 100%
        "#]],
    );
    accepted(with(deployment(), &rolling(json!(1), json!(0))));
    let recreate = json!({ "spec": { "strategy": { "type": "Recreate", "rollingUpdate": {} }, "minReadySeconds": 600 } });
    refused(
        with(deployment(), &recreate),
        &expect![[r#"
        Invalid spec.progressDeadlineSeconds: 600 must be more than minReadySeconds
        Forbidden spec.strategy.rollingUpdate: must be left out where the type is Recreate
    "#]],
    );
}

#[test]
fn template_is_for_pods_that_run_for_ever() {
    let spec = json!({ "restartPolicy": "Never", "activeDeadlineSeconds": 5 });
    refused(
        with(deployment(), &json!({ "spec": { "template": { "spec": spec } } })),
        &expect![[r#"
            NotSupported spec.template.spec.restartPolicy: `Never` is not supported here: pods of a template are restarted Always
            Forbidden spec.template.spec.activeDeadlineSeconds: must be left out of a template
        "#]],
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
    refused(
        document,
        &expect![[r#"
            Invalid metadata.name: `Web_1` must consist of lower-case letters, digits, `-` and `.`, and each part between dots must start and end with a letter or digit
            Invalid metadata.namespace: `a.b` must consist of lower-case letters, digits and `-`, and start and end with a letter or digit
            Invalid metadata.labels: `-x` must consist of letters, digits, `-`, `_` and `.`, and start and end with a letter or digit
            Invalid metadata.labels[app]: `a b` must consist of letters, digits, `-`, `_` and `.`, and start and end with a letter or digit
            TooLong metadata.annotations: are 307221 bytes long together, 262144 are allowed
            Required metadata.ownerReferences[0].apiVersion: is missing
            Required metadata.ownerReferences[0].name: is missing
            Required metadata.ownerReferences[0].uid: is missing
            Required metadata.ownerReferences[1].apiVersion: is missing
            Required metadata.ownerReferences[1].kind: is missing
            Required metadata.ownerReferences[1].name: is missing
            Required metadata.ownerReferences[1].uid: is missing
            Invalid metadata.ownerReferences: only one owner may have `controller: true`
            Invalid metadata.finalizers: `orphan` and `foregroundDeletion` exclude each other
        "#]],
    );
    refused(
        with(pod(), &json!({ "metadata": { "name": null } })),
        &expect![[r#"
        Required metadata.name: is missing; every object needs a name or a generateName
    "#]],
    );
    accepted(with(
        pod(),
        &json!({ "metadata": { "name": null, "generateName": "web-" } }),
    ));
    let node = json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": "a", "namespace": "b" },
        "spec": { "podCIDR": "10.0.0.0", "taints": [{ "key": "gpu" }, { "key": "gpu" }, { "value": "x y" }] } });
    refused(
        node,
        &expect![[r#"
        Forbidden metadata.namespace: must be left out: nodes belong to no namespace
        Duplicate spec.taints[1]: `gpu:NoSchedule` appears more than once
        Required spec.taints[2].key: is missing
        Invalid spec.taints[2].value: `x y` must consist of letters, digits, `-`, `_` and `.`, and start and end with a letter or digit
        Invalid spec.podCIDR: `10.0.0.0` is not a range of addresses such as 10.64.3.0/24
    "#]],
    );
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
                { "name": "other", "image": "b:1", "ports": [
                    { "containerPort": 81, "hostPort": 80 }, { "containerPort": 82, "hostPort": 90 }, { "containerPort": 83, "hostPort": 90 },
                ] },
            ],
        } }),
    );
    refused(
        document,
        &expect![[r#"
        Duplicate spec.containers[0].name: `web` appears more than once
        Duplicate spec.containers[0].ports[1].name: `http` appears more than once
        Duplicate spec.containers[0].ports[1]: `80/TCP` appears more than once
        Duplicate spec.containers[0].volumeMounts[1].mountPath: `/a/` appears more than once
        Duplicate spec.containers[1].ports[0].hostPort: `80` appears more than once
        Duplicate spec.containers[1].ports[2].hostPort: `90` appears more than once
        Duplicate spec.volumes[1].name: `v` appears more than once
    "#]],
    );
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
    refused(
        document,
        &expect![[r#"
        Invalid spec.containers[0].volumeMounts[0].name: `missing` is not a volume of this pod
        Invalid spec.containers[0].volumeMounts[0].mountPath: `data` must be absolute and without `:`
        Invalid spec.containers[0].volumeMounts[0].subPath: `/x` must be relative
        Invalid spec.containers[0].volumeMounts[1].subPath: `a/../../b` must not contain `..`
        Forbidden spec.containers[0].volumeMounts[1].mountPropagation: Bidirectional is for privileged containers only
        Required spec.volumes[0]: needs one of configMap, secret, emptyDir, hostPath, projected, downwardAPI
        Invalid spec.volumes[1]: has emptyDir and hostPath; only one of them may be set
        Invalid spec.volumes[1].hostPath.path: `relative/../up` must be absolute and without `..`
        Required spec.volumes[2].configMap.name: is missing
        Invalid spec.volumes[2].configMap.defaultMode: 1000 is not between 0 and 511 (0777)
        Invalid spec.volumes[2].configMap.items[0].path: `/abs` must be relative
        Required spec.volumes[2].configMap.items[1].key: is missing
        Invalid spec.volumes[2].configMap.items[1].path: `../b` must not contain `..`
        Invalid spec.volumes[3].projected.sources[1]: `x` comes from another source already
        NotSupported spec.volumes[3].projected.sources[2].downwardAPI.items[0].fieldRef.fieldPath: `spec.nodeName` is not supported: write one of metadata.name, metadata.namespace, metadata.uid, metadata.labels, metadata.annotations, metadata.labels['KEY'], metadata.annotations['KEY']
    "#]],
    );
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
    refused(
        document,
        &expect![[r#"
        Invalid spec.containers[0].env[0].name: `1A` must consist of letters, digits, `_`, `-` and `.`, and not start with a digit
        Invalid spec.containers[0].env[1].valueFrom: may not be set along with value
        Required spec.containers[0].env[2].valueFrom: needs one of configMapKeyRef, secretKeyRef, fieldRef, resourceFieldRef
        Invalid spec.containers[0].env[3].valueFrom: has configMapKeyRef and secretKeyRef; only one of them may be set
        Required spec.containers[0].env[3].valueFrom.configMapKeyRef.key: is missing
        NotSupported spec.containers[0].env[4].valueFrom.fieldRef.fieldPath: `spec.hostname` is not supported: write one of metadata.name, metadata.namespace, metadata.uid, spec.nodeName, status.hostIP, status.podIP, status.podIPs, metadata.labels['KEY'], metadata.annotations['KEY']
        Invalid spec.containers[0].env[5].valueFrom.resourceFieldRef.containerName: `x` is not a container of this pod
        NotSupported spec.containers[0].env[5].valueFrom.resourceFieldRef.resource: `limits.gpu` is not supported: write one of limits.cpu, limits.memory, limits.ephemeral-storage, requests.cpu, requests.memory, requests.ephemeral-storage
        NotSupported spec.containers[0].env[5].valueFrom.resourceFieldRef.divisor: 3 is not supported: write one of 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei
        Invalid spec.containers[0].envFrom[0].prefix: `9` must consist of letters, digits, `_`, `-` and `.`, and not start with a digit
        Required spec.containers[0].envFrom[1]: needs one of configMapRef, secretRef
    "#]],
    );
}

#[test]
fn repeated_variable_is_a_warning() {
    let env = json!([{ "name": "A", "value": "1" }, { "name": "A", "value": "2" }]);
    let document = with(pod(), &json!({ "spec": { "containers": [{ "env": env }] } }));
    expect![[r#"
        warning spec.containers[0].env[1]: `A` is set before; the last one wins
    "#]]
    .assert_eq(&lines(document, Validation::Strict));
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
        &expect![[r#"
            Invalid spec.containers[0].resources.requests[example.com/gpu]: 500m is not a whole number; extended resources are counted in wholes
            Invalid spec.containers[0].resources.requests[memory]: -1 is below 0
            Invalid spec.containers[0].resources.requests[tpu]: is not a resource: write one of cpu, memory, ephemeral-storage, or a name such as example.com/gpu
            Invalid spec.containers[0].resources.limits[hugepages-2Mi]: is not implemented by skep
            Invalid spec.containers[0].resources.requests[cpu]: 2 is more than the limit of 1
            Required spec.containers[0].resources.limits[example.com/gpu]: is missing; an extended resource needs a limit equal to its request
        "#]],
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
    refused(
        document,
        &expect![[r#"
            Forbidden spec.initContainers[0].livenessProbe: must be left out of init containers, except of those with restartPolicy: Always
            Invalid spec.containers[0].lifecycle.postStart.sleep.seconds: 31 is not between 0 and 30
            Required spec.containers[0].lifecycle.preStop: needs one of exec, httpGet, tcpSocket, sleep
            Invalid spec.containers[0].livenessProbe.httpGet.port: `web` is not the name of a port of this container
            Invalid spec.containers[0].livenessProbe.periodSeconds: -1 is below 0
            Invalid spec.containers[0].livenessProbe.successThreshold: 2 must be 1 for liveness and startup probes
            Invalid spec.containers[0].readinessProbe: has exec and grpc; only one of them may be set
            Required spec.containers[0].readinessProbe.exec.command: is missing
            Invalid spec.containers[0].readinessProbe.grpc.port: 0 is not between 1 and 65535
            Forbidden spec.containers[0].readinessProbe.terminationGracePeriodSeconds: must be left out of readiness probes: they end no container
            Required spec.containers[0].startupProbe: needs one of httpGet, tcpSocket, exec, grpc
        "#]],
    );
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
    refused(
        document,
        &expect![[r#"
        Forbidden spec.containers[0].securityContext.seccompProfile.localhostProfile: must be left out unless the type is Localhost
        Invalid spec.containers[0].securityContext.capabilities.add[1]: `CAP_NET_ADMIN` is not a capability; write NET_ADMIN
        Invalid spec.containers[0].securityContext.capabilities.add[2]: `FLY` is not a capability
        Invalid spec.containers[0].securityContext.allowPrivilegeEscalation: may not be false where privileged is true
        Invalid spec.containers[0].securityContext.allowPrivilegeEscalation: may not be false where the capability SYS_ADMIN is added
        Invalid spec.containers[0].securityContext.runAsUser: 0 is root, and runAsNonRoot is true
        Invalid spec.shareProcessNamespace: may not be set along with hostPID
        Invalid spec.securityContext.fsGroup: -1 is not between 0 and 2147483647
        Invalid spec.securityContext.supplementalGroups[1]: 3000000000 is not between 0 and 2147483647
        Invalid spec.securityContext.seccompProfile.localhostProfile: `/etc/x` must be relative
        Invalid spec.securityContext.sysctls[0].name: `net.core.somaxconn` may not be set on the node's network
        Invalid spec.securityContext.sysctls[1].name: `kernel.sem` may not be set where hostIPC is true
        Invalid spec.securityContext.sysctls[2].name: `Bad` is not a setting such as net.core.somaxconn
        Invalid spec.securityContext.sysctls[3].name: `Bad` is not a setting such as net.core.somaxconn
        Duplicate spec.securityContext.sysctls[3].name: `Bad` appears more than once
    "#]],
    );
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
    refused(
        document,
        &expect![[r#"
        Invalid spec.containers[0].ports[0].hostPort: 81 must be the containerPort on the node's network
    "#]],
    );
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
    refused(
        document,
        &expect![[r#"
        Invalid spec.nodeSelector[disk]: `s s d` must consist of letters, digits, `-`, `_` and `.`, and start and end with a letter or digit
        Invalid spec.nodeName: `A` must consist of lower-case letters, digits, `-` and `.`, and each part between dots must start and end with a letter or digit
        NotImplemented spec.schedulerName: `mine` is not implemented by skep: the one scheduler is default-scheduler
        Invalid spec.tolerations[0].operator: must be Exists where the key is left out
        Forbidden spec.tolerations[1].value: must be left out where the operator is Exists
        Invalid spec.tolerations[2].effect: must be NoExecute where tolerationSeconds is set
        Required spec.dnsConfig.nameservers: is missing; dnsPolicy None needs at least one name server
        Invalid spec.dnsConfig.searches[0]: `-x` must consist of lower-case letters, digits, `-` and `.`, and each part between dots must start and end with a letter or digit
        Required spec.dnsConfig.options[0].name: is missing
        Invalid spec.terminationGracePeriodSeconds: -5 is below 0
        Invalid spec.activeDeadlineSeconds: 0 is not between 1 and 2147483647
        Required spec.imagePullSecrets[0].name: is missing
        Invalid spec.hostname: `a.b` must consist of lower-case letters, digits and `-`, and start and end with a letter or digit
        Invalid spec.hostAliases[0].ip: `1.2.3` is not an IP address such as 10.0.0.1
        Invalid spec.hostAliases[0].hostnames[0]: `a_b` must consist of lower-case letters, digits, `-` and `.`, and each part between dots must start and end with a letter or digit
        Invalid spec.hostAliases[1].ip: `1.2.3` is not an IP address such as 10.0.0.1
        Duplicate spec.hostAliases[1].ip: `1.2.3` appears more than once
    "#]],
    );
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
        &expect![[r#"
            Invalid data: `..` must not be `.` or start with `..`
            Invalid data[a]: is not base64; write plain text in stringData (secrets) or data (config maps)
            Invalid data: `b/c` must consist of letters, digits, `-`, `_` and `.`
        "#]],
    );
    refused(
        secret(
            json!({ "type": "kubernetes.io/dockerconfigjson", "stringData": { ".dockerconfigjson": "{}" } }),
        ),
        &expect![[r#"
            Invalid data[.dockerconfigjson]: is not a docker config: it must be JSON with a field `auths`
        "#]],
    );
    refused(
        secret(json!({ "type": "kubernetes.io/tls", "stringData": { "tls.crt": "x" } })),
        &expect![[r#"
            Required data[tls.key]: is missing; secrets of type kubernetes.io/tls need it
        "#]],
    );
    refused(
        secret(json!({ "stringData": { "big": "x".repeat((1 << 20) + 1) } })),
        &expect![[r#"
            TooLong data: is 1048577 bytes long in total, 1048576 are allowed
        "#]],
    );
}

#[test]
fn config_maps_are_sound() {
    let document = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "c" },
        "data": { "a": "x", "n": 5 }, "binaryData": { "a": "eA==" } });
    refused(
        document.clone(),
        &expect![[r#"
        WrongType data[n]: is a number, should be a string: put it in quotes
    "#]],
    );
    refused(
        with(document, &json!({ "data": { "n": "5" } })),
        &expect![[r#"
        Duplicate binaryData[a]: `a` appears more than once
    "#]],
    );
}

#[test]
fn head_of_a_document_is_checked_first() {
    refused(
        json!([]),
        &expect![[r#"
        WrongType a document must be a mapping with the fields apiVersion, kind and metadata
    "#]],
    );
    refused(
        json!({ "kind": "Pod" }),
        &expect![[r#"
        Required apiVersion: is missing; write for example `apiVersion: apps/v1`
    "#]],
    );
    refused(
        json!({ "apiVersion": "v1" }),
        &expect![[r#"
        Required kind: is missing; write for example `kind: Deployment`
    "#]],
    );
    refused(
        json!({ "apiVersion": "extensions/v1beta1", "kind": "Deployment" }),
        &expect![[r#"
            NotSupported apiVersion: Deployment is in `apps/v1`, not in `extensions/v1beta1`
        "#]],
    );
    refused(
        json!({ "apiVersion": "apps/v1", "kind": "Deploymnt" }),
        &expect![[r#"
            NotSupported kind: `Deploymnt` in `apps/v1` is not a kind of this cluster; did you mean `Deployment`?
        "#]],
    );
    refused(
        json!({ "apiVersion": "v1", "kind": "Service" }),
        &expect![[r#"
            NotSupported kind: `Service` in `v1` is not a kind of this cluster; it has Namespace, PriorityClass, NodePool, WorkloadTier, Node, ResourceQuota, LimitRange, PodDisruptionBudget, ConfigMap, Secret, Pod, ReplicaSet, Deployment, Event
        "#]],
    );
}

#[test]
fn object_of_two_mebibytes_is_refused() {
    let document = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "c" },
        "data": { "a": "x".repeat(2 << 20) } });
    refused(
        document,
        &expect![[r#"
        TooLong is 2.00 MiB long, 1.50 MiB are allowed for one object
    "#]],
    );
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
    refused(
        event,
        &expect![[r#"
        Invalid involvedObject.namespace: must be the event's own namespace `other`
    "#]],
    );
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

#[test]
fn only_init_containers_may_be_sidecars_and_those_may_be_probed() {
    let sidecar = json!({
        "name": "proxy", "image": "a:1", "restartPolicy": "Always",
        "readinessProbe": { "exec": { "command": ["x"] } },
        "lifecycle": { "preStop": { "sleep": { "seconds": 1 } } },
    });
    let decoded = accepted(with(pod(), &json!({ "spec": { "initContainers": [sidecar] } })));
    let spec = &as_pod(&decoded.object).spec;
    let names: Vec<&str> = spec.lasting_containers().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["proxy", "web"]);
    let own = json!({ "spec": { "containers": [{ "restartPolicy": "Always" }] } });
    refused(
        with(pod(), &own),
        &expect![[r#"
            Forbidden spec.containers[0].restartPolicy: must be left out: only init containers may have one of their own
        "#]],
    );
    let other =
        json!({ "spec": { "initContainers": [{ "name": "a", "image": "a:1", "restartPolicy": "Never" }] } });
    refused(
        with(pod(), &other),
        &expect![[r#"
            NotSupported spec.initContainers[0].restartPolicy: `Never` is not supported: write one of `Always`
        "#]],
    );
}
