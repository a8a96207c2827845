//! Variables.

use serde_json::{Value, json};

use super::{Documents, facts, pod_of};
use crate::spec::env::{Env, EnvError, resolve};

fn documents() -> Documents {
    Documents::default()
        .config_map("settings", json!({ "color": "red", "1st": "x", "size": "xl" }))
        .secret("access", json!({ "token": "czNjcmV0", "blob": "//8=" }))
}

fn resolved(fields: Value) -> Result<Env, EnvError> {
    let pod = pod_of(fields);
    resolve(&pod, &pod.spec.containers[0], &documents(), &facts())
}

/// `NAME=value` of each, in order.
fn vars(fields: Value) -> Vec<String> {
    let env = resolved(fields).expect("variables");
    env.vars
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect()
}

fn value_of(source: Value) -> Result<String, EnvError> {
    let env = resolved(json!({ "env": [{ "name": "V", "valueFrom": source }] }))?;
    Ok(env
        .vars
        .into_iter()
        .next()
        .map_or_else(|| "not set".to_owned(), |(_, value)| value))
}

#[test]
fn variables_use_those_before_them() {
    let env = json!([
        { "name": "A", "value": "1" },
        { "name": "B", "value": "$(A)-$(C)" },
        { "name": "C", "value": "$(B)" },
    ]);
    assert_eq!(vars(json!({ "env": env })), ["A=1", "B=1-$(C)", "C=1-$(C)"]);
}

#[test]
fn later_variables_win() {
    let fields = json!({
        "envFrom": [{ "configMapRef": { "name": "settings" } }],
        "env": [{ "name": "color", "value": "$(color)dish" }, { "name": "X", "value": "1" }, { "name": "X", "value": "2" }],
    });
    assert_eq!(vars(fields), ["size=xl", "color=reddish", "X=2"]);
}

#[test]
fn whole_documents_become_variables_with_a_prefix() {
    let fields = json!({ "envFrom": [{ "prefix": "CFG_", "configMapRef": { "name": "settings" } }] });
    assert_eq!(vars(fields), ["CFG_1st=x", "CFG_color=red", "CFG_size=xl"]);
}

#[test]
fn keys_that_cannot_name_a_variable_are_left_out_and_reported() {
    let env =
        resolved(json!({ "envFrom": [{ "configMapRef": { "name": "settings" } }] })).expect("variables");
    assert_eq!(env.skipped, ["1st"]);
    assert_eq!(env.vars.len(), 2);
}

#[test]
fn values_come_from_keys_fields_and_resources() {
    let cases = [
        (
            json!({ "configMapKeyRef": { "name": "settings", "key": "color" } }),
            "red",
        ),
        (
            json!({ "secretKeyRef": { "name": "access", "key": "token" } }),
            "s3cret",
        ),
        (json!({ "fieldRef": { "fieldPath": "metadata.name" } }), "web"),
        (
            json!({ "fieldRef": { "fieldPath": "metadata.namespace" } }),
            "shop",
        ),
        (json!({ "fieldRef": { "fieldPath": "metadata.uid" } }), super::UID),
        (
            json!({ "fieldRef": { "fieldPath": "metadata.labels['app']" } }),
            "web",
        ),
        (
            json!({ "fieldRef": { "fieldPath": "metadata.labels['none']" } }),
            "",
        ),
        (
            json!({ "fieldRef": { "fieldPath": "metadata.annotations['note']" } }),
            "two\nlines",
        ),
        (json!({ "fieldRef": { "fieldPath": "spec.nodeName" } }), "node-1"),
        (
            json!({ "fieldRef": { "fieldPath": "status.hostIP" } }),
            "192.0.2.1",
        ),
        (
            json!({ "fieldRef": { "fieldPath": "status.podIP" } }),
            "10.244.0.9",
        ),
        (
            json!({ "fieldRef": { "fieldPath": "status.podIPs" } }),
            "10.244.0.9",
        ),
    ];
    for (source, expected) in cases {
        assert_eq!(value_of(source.clone()).as_deref(), Ok(expected), "of {source}");
    }
}

#[test]
fn resources_are_counted_in_units_of_the_divisor_and_rounded_up() {
    let value = |resource: &str, divisor: &str| {
        let selector = json!({ "resource": resource, "divisor": divisor });
        let fields = json!({
            "resources": { "requests": { "cpu": "250m", "memory": "100Mi" }, "limits": { "memory": "1Gi" } },
            "env": [{ "name": "V", "valueFrom": { "resourceFieldRef": selector } }],
        });
        resolved(fields).map(|env| env.vars[0].1.clone())
    };
    assert_eq!(value("requests.cpu", "0").as_deref(), Ok("1"), "whole CPUs");
    assert_eq!(value("requests.cpu", "1m").as_deref(), Ok("250"));
    assert_eq!(
        value("limits.cpu", "1").as_deref(),
        Ok("4"),
        "what the node has to give"
    );
    assert_eq!(value("limits.memory", "0").as_deref(), Ok("1073741824"));
    assert_eq!(value("requests.memory", "1Mi").as_deref(), Ok("100"));
    assert_eq!(value("requests.memory", "3Mi").as_deref(), Ok("34"));
    assert_eq!(
        value("limits.gpu", "1").expect_err("refused").to_string(),
        "unsupported container resource: limits.gpu"
    );
}

#[test]
fn what_is_missing_is_named_as_kubernetes_names_it() {
    let cases = [
        (
            json!({ "configMapKeyRef": { "name": "none", "key": "k" } }),
            "configmap \"none\" not found",
        ),
        (
            json!({ "secretKeyRef": { "name": "none", "key": "k" } }),
            "secret \"none\" not found",
        ),
        (
            json!({ "configMapKeyRef": { "name": "settings", "key": "k" } }),
            "couldn't find key k in ConfigMap shop/settings",
        ),
        (
            json!({ "secretKeyRef": { "name": "access", "key": "k" } }),
            "couldn't find key k in Secret shop/access",
        ),
        (
            json!({ "fieldRef": { "fieldPath": "status.phase" } }),
            "unsupported fieldPath: status.phase",
        ),
        (
            json!({ "resourceFieldRef": { "resource": "limits.cpu", "containerName": "db" } }),
            "container db not found",
        ),
    ];
    for (source, expected) in cases {
        assert_eq!(
            value_of(source.clone()).expect_err("refused").to_string(),
            expected,
            "of {source}"
        );
    }
    for (source, expected) in [
        (
            json!({ "configMapRef": { "name": "none" } }),
            "configmap \"none\" not found",
        ),
        (
            json!({ "secretRef": { "name": "none" } }),
            "secret \"none\" not found",
        ),
    ] {
        assert_eq!(
            resolved(json!({ "envFrom": [source] }))
                .expect_err("refused")
                .to_string(),
            expected
        );
    }
}

#[test]
fn what_is_optional_may_be_missing() {
    for source in [
        json!({ "configMapKeyRef": { "name": "none", "key": "k", "optional": true } }),
        json!({ "configMapKeyRef": { "name": "settings", "key": "k", "optional": true } }),
        json!({ "secretKeyRef": { "name": "none", "key": "k", "optional": true } }),
        json!({ "secretKeyRef": { "name": "access", "key": "k", "optional": true } }),
    ] {
        assert_eq!(value_of(source.clone()).as_deref(), Ok("not set"), "of {source}");
    }
    let sources = json!([{ "configMapRef": { "name": "none", "optional": true } }, { "secretRef": { "name": "none", "optional": true } }]);
    assert_eq!(resolved(json!({ "envFrom": sources })), Ok(Env::default()));
}

#[test]
fn a_secret_that_is_not_text_is_refused() {
    let error =
        value_of(json!({ "secretKeyRef": { "name": "access", "key": "blob" } })).expect_err("refused");
    assert!(
        error
            .to_string()
            .starts_with("key blob in Secret shop/access is not text"),
        "{error}"
    );
}

#[test]
fn a_pod_on_the_nodes_network_has_the_nodes_address() {
    let mut pod = pod_of(
        json!({ "env": [{ "name": "V", "valueFrom": { "fieldRef": { "fieldPath": "status.podIP" } } }] }),
    );
    pod.spec.host_network = true;
    let env = resolve(&pod, &pod.spec.containers[0], &documents(), &facts()).expect("variables");
    assert_eq!(env.vars, [("V".to_owned(), "192.0.2.1".to_owned())]);
}
