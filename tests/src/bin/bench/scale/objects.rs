//! Objects as clusters have them: of ten, four pods, three config maps, two secrets and an old replica set.

use serde_json::{Value, json};

/// Nodes that have the pods.
pub(crate) const NODES: usize = 100;

/// The `number`th object, as a client writes it.
pub(crate) fn object(number: usize) -> Value {
    match number % 10 {
        0..4 => pod(number),
        4..7 => config_map(number),
        7..9 => secret(number),
        _ => replica_set(number),
    }
}

/// How many of so many objects are pods.
pub(crate) fn pods_among(objects: usize) -> usize {
    objects / 10 * 4 + (objects % 10).min(4)
}

/// The name of a node that has pods; the simulated agents are called so.
pub(crate) fn node(number: usize) -> String {
    format!("sim-{}", number % NODES)
}

fn metadata(kind: &str, number: usize) -> Value {
    json!({
        "name": format!("{kind}-{:05}-{:010x}", number, number.wrapping_mul(2_654_435_761) % 0xff_ffff_ffff),
        "namespace": "default",
        "labels": {
            "app.kubernetes.io/name": format!("service-{}", number % 500),
            "app.kubernetes.io/component": "backend",
            "app.kubernetes.io/part-of": format!("product-{}", number % 20),
            "app.kubernetes.io/version": format!("1.{}.0", number % 30),
        },
        "annotations": { "example.org/team": format!("team-{}", number % 40) },
    })
}

fn pod(number: usize) -> Value {
    let mut spec = pod_spec(number);
    spec["nodeName"] = json!(node(number / 10));
    json!({ "apiVersion": "v1", "kind": "Pod", "metadata": metadata("pod", number), "spec": spec })
}

fn pod_spec(number: usize) -> Value {
    json!({
        "containers": [container("main", number), container("proxy", number)],
        "volumes": [{ "name": "config", "configMap": { "name": format!("config-{}", number % 500) } }],
        "terminationGracePeriodSeconds": 10,
    })
}

fn container(name: &str, number: usize) -> Value {
    json!({
        "name": name,
        "image": format!("registry.example/team-{}/{name}:1.{}.0", number % 40, number % 30),
        "imagePullPolicy": "IfNotPresent",
        "args": ["--listen=0.0.0.0:8080", "--log-level=info"],
        "ports": [{ "name": "http", "containerPort": 8080, "protocol": "TCP" }],
        "env": [
            { "name": "SERVICE", "value": format!("service-{}", number % 500) },
            { "name": "POD_NAME", "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } } },
            { "name": "DATABASE_URL", "value": format!("postgres://db-{}.internal:5432/app", number % 20) },
        ],
        "resources": { "requests": { "cpu": "10m", "memory": "16Mi" }, "limits": { "memory": "64Mi" } },
        "readinessProbe": { "httpGet": { "path": "/ready", "port": 8080 }, "periodSeconds": 5 },
        "volumeMounts": [{ "name": "config", "mountPath": "/etc/app", "readOnly": true }],
    })
}

fn config_map(number: usize) -> Value {
    let line = |at: usize| format!("option-{at} = \"{:016x}\"\n", number.wrapping_mul(at + 1));
    let text: String = (0..25).map(line).collect();
    json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata("config", number), "data": { "app.conf": text },
    })
}

fn secret(number: usize) -> Value {
    let value = |seed: usize| format!("{:064x}", number.wrapping_mul(seed));
    json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": metadata("secret", number), "type": "Opaque",
        "stringData": { "username": format!("user-{number}"), "password": value(7), "token": value(11).repeat(4) },
    })
}

/// One that a deployment has rolled away from.
fn replica_set(number: usize) -> Value {
    let labels = json!({ "app": format!("old-{number}") });
    json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": metadata("set", number),
        "spec": {
            "replicas": 0,
            "selector": { "matchLabels": labels },
            "template": { "metadata": { "labels": labels }, "spec": pod_spec(number) },
        },
    })
}
