//! Whole documents: the best-known one, and any that chance comes up with.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use skep_api::{
    Kind, Object, Quantity,
    admit::{Validation, decode},
    convert, schema, yaml,
};

const API_GATEWAY: &str = "
apiVersion: apps/v1
kind: Deployment
metadata:
  name: api-gateway
  namespace: production
  labels:
    app: api-gateway
    version: v2.1.0
spec:
  replicas: 3
  strategy:
    type: RollingUpdate
    rollingUpdate:
      maxSurge: 1
      maxUnavailable: 0
  selector:
    matchLabels:
      app: api-gateway
  template:
    metadata:
      labels:
        app: api-gateway
    spec:
      containers:
      - name: api-gateway
        image: registry.internal/api-gateway:v2.1.0
        ports:
        - containerPort: 8080
        resources:
          requests: { cpu: 250m, memory: 256Mi }
          limits: { cpu: 1000m, memory: 1Gi }
        livenessProbe: { httpGet: { path: /health, port: 8080 }, initialDelay: 30 }
        readinessProbe: { httpGet: { path: /ready, port: 8080 }, period: 10 }
        envFrom:
        - configMapRef: { name: api-gateway-config }
        - secretRef: { name: api-gateway-secrets }
";

#[test]
fn api_gateway_is_taken_as_it_stands() {
    let document = yaml::documents(API_GATEWAY).unwrap().remove(0);
    let decoded = decode(document, Validation::Strict).unwrap();
    assert!(decoded.warnings.is_empty(), "{:?}", decoded.warnings);
    let Object::Deployment(deployment) = &decoded.object else {
        panic!("not a deployment")
    };
    let container = &deployment.spec.template.spec.containers[0];
    assert_eq!(
        container.liveness_probe.as_ref().unwrap().initial_delay_seconds,
        30
    );
    assert_eq!(container.readiness_probe.as_ref().unwrap().period_seconds, 10);
    assert_eq!(
        container.resources.limits["cpu"],
        "1".parse::<Quantity>().unwrap()
    );
    assert_eq!(
        deployment.spec.template.spec.requests()["memory"].to_string(),
        "256Mi"
    );
    let again = yaml::documents(&yaml::to_string(&decoded.object.to_value()))
        .unwrap()
        .remove(0);
    assert_eq!(decode(again, Validation::Strict).unwrap().object, decoded.object);
}

#[test]
fn quantities_are_written_in_canonical_form() {
    for (text, canonical) in [
        ("0.5", "500m"),
        ("1e3", "1e3"),
        ("1E3", "1e3"),
        ("1024Ki", "1Mi"),
        ("1500m", "1500m"),
        ("1000m", "1"),
        ("1000", "1k"),
        ("1.5Gi", "1536Mi"),
        ("0.5Ki", "512"),
        ("100Ki", "100Ki"),
        ("0", "0"),
        ("-1", "-1"),
        ("-0.25", "-250m"),
        ("1u", "1u"),
        ("0.1n", "1n"),
        ("12e6", "12e6"),
        (".5", "500m"),
        ("5.", "5"),
        ("+3", "3"),
        ("8Ei", ""),
    ] {
        let written = text
            .parse::<Quantity>()
            .map(|quantity| quantity.to_string())
            .unwrap_or_default();
        assert_eq!(written, canonical, "{text}");
    }
    for text in [
        "", "m", "1K", "1mi", "1 Gi", "1e", "0x1", "1.2.3", "--1", "1e99", "∞", "NaN",
    ] {
        assert!(text.parse::<Quantity>().is_err(), "{text}");
    }
    // A number of YAML comes with all its digits.
    let long = format!("{}", 1e99);
    let told = long.parse::<Quantity>().expect_err("it is too large").to_string();
    assert!(told.contains("out of range") && told.len() < 120, "{told}");
}

fn quantity_text() -> impl Strategy<Value = String> {
    let suffix = prop::sample::select(vec![
        "", "n", "u", "m", "k", "M", "G", "T", "Ki", "Mi", "Gi", "Ti", "e3", "E2", "e-3", "e-9", "e0",
    ]);
    ("-?[0-9]{1,6}(\\.[0-9]{0,6})?", suffix).prop_map(|(number, suffix)| format!("{number}{suffix}"))
}

/// A value that fits a shape of the schema more often than not.
fn plausible() -> impl Strategy<Value = Value> {
    let words: Vec<String> = field_names();
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        prop_oneof![any::<i64>(), -3..70_000_i64].prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(vec![
            "",
            "web",
            "Always",
            "100%",
            "250m",
            "TCP",
            "ß\u{0}",
            "..",
            "/a",
            "v1",
            "2026-01-01T00:00:00Z",
            "10.0.0.1",
            "eA==",
        ])
        .prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(9, 64, 4, move |inner| {
        let word = prop_oneof![4 => prop::sample::select(words.clone()), 1 => "\\PC{0,6}"];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(word, inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Every field name of every kind.
fn field_names() -> Vec<String> {
    fn collect(schema: &Value, into: &mut Vec<String>) {
        if let Some(properties) = schema["properties"].as_object() {
            into.extend(properties.keys().cloned());
        }
        match schema {
            Value::Object(fields) => fields.values().for_each(|field| collect(field, into)),
            Value::Array(items) => items.iter().for_each(|item| collect(item, into)),
            _ => {}
        }
    }
    let mut names = vec![
        "initialDelay".to_owned(),
        "affinity".to_owned(),
        "managedFields".to_owned(),
    ];
    Kind::ALL
        .into_iter()
        .for_each(|kind| collect(&schema::json_schema(kind), &mut names));
    names.sort();
    names.dedup();
    names
}

/// A value made along the schema, wrong in places.
fn along_the_schema(
    schema: &Value,
    root: &Value,
    choice: &mut impl FnMut(usize) -> usize,
    depth: usize,
) -> Value {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        return along_the_schema(&root["$defs"][name], root, choice, depth);
    }
    if choice(300) == 0 {
        return [
            json!(null),
            json!(-1),
            json!("x"),
            json!([]),
            json!({}),
            json!(1.5),
            json!(true),
        ][choice(7)]
        .clone();
    }
    for options in ["anyOf", "oneOf", "enum"] {
        if let Some(options) = schema[options].as_array() {
            let option = &options[choice(options.len())];
            return if option.is_object() {
                along_the_schema(option, root, choice, depth)
            } else {
                option.clone()
            };
        }
    }
    if schema["const"].is_string() {
        return schema["const"].clone();
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds[choice(kinds.len())].as_str(),
        kind => kind.as_str(),
    };
    match kind {
        Some("object") if depth > 0 => {
            let mut fields = Map::new();
            for (name, property) in schema["properties"].as_object().into_iter().flatten() {
                if choice(3) == 0 {
                    fields.insert(name.clone(), along_the_schema(property, root, choice, depth - 1));
                }
            }
            if schema["additionalProperties"].is_object() {
                let key = ["app", "cpu", "memory", "a/b", "-"][choice(5)];
                fields.insert(
                    key.to_owned(),
                    along_the_schema(&schema["additionalProperties"], root, choice, depth - 1),
                );
            }
            Value::Object(fields)
        }
        Some("object") => json!({}),
        Some("array") => Value::Array(
            (0..choice(3))
                .map(|_| along_the_schema(&schema["items"], root, choice, depth.saturating_sub(1)))
                .collect(),
        ),
        Some("integer") => {
            [json!(0), json!(1), json!(3), json!(8080), json!(70000), json!(-1)][choice(6)].clone()
        }
        Some("number") => json!(0.5),
        Some("boolean") => json!(choice(2) == 1),
        Some("null") => json!(null),
        _ if schema["format"] == "date-time" => json!("2026-01-01T00:00:00Z"),
        _ if schema["format"] == "quantity" => json!(["1", "250m", "1Gi", "-1"][choice(4)]),
        _ => json!(["web", "a", "", "/x", "10.0.0.0/8", "Web!", "1%"][choice(7)]),
    }
}

fn document_of(kind: Kind, choices: &[usize]) -> Value {
    let schema = schema::json_schema(kind);
    let mut next = choices.iter().cycle();
    let mut choice = |options: usize| next.next().map_or(0, |choice| choice % options.max(1));
    let mut document = along_the_schema(&schema, &schema, &mut choice, 9);
    if !document.is_object() {
        document = json!({ "metadata": document });
    }
    if choices.len().is_multiple_of(2) {
        document["metadata"] = json!({ "name": "web" });
    }
    document["apiVersion"] = kind.api_version().into();
    document["kind"] = kind.as_str().into();
    document
}

/// What went through the door must be stable there, and survive the wire.
fn check_accepted(object: &Object) -> Result<(), TestCaseError> {
    let value = object.to_value();
    let again = decode(value.clone(), Validation::Strict)
        .map_err(|errors| TestCaseError::fail(format!("{errors:#?}")))?;
    prop_assert_eq!(&again.object, object);
    let over_the_wire = convert::from_struct(convert::to_struct(object))
        .map_err(|error| TestCaseError::fail(error.to_string()))?;
    prop_assert_eq!(&over_the_wire, object);
    let text = yaml::to_string(&value);
    let read = yaml::documents(&text).map_err(|error| TestCaseError::fail(format!("{error}\n{text}")))?;
    prop_assert_eq!(read, vec![value]);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn quantity_written_and_read_is_the_same(text in quantity_text()) {
        let quantity: Quantity = text.parse().unwrap();
        let written = quantity.to_string();
        let again: Quantity = written.parse().unwrap();
        prop_assert_eq!(again, quantity, "{} {}", text, written);
        prop_assert_eq!(again.to_string(), written);
    }

    #[test]
    fn no_document_makes_the_door_panic(value in plausible(), kind in prop::sample::select(Kind::ALL.to_vec()), mode in 0..3_usize) {
        let mut value = value;
        if let Some(fields) = value.as_object_mut() {
            fields.insert("apiVersion".to_owned(), kind.api_version().into());
            fields.insert("kind".to_owned(), kind.as_str().into());
        }
        let validation = [Validation::Strict, Validation::Warn, Validation::Ignore][mode];
        if let Ok(decoded) = decode(value, validation) {
            check_accepted(&decoded.object)?;
        }
    }

    #[test]
    fn schema_check_leaves_nothing_for_decoding_to_find(
        kind in prop::sample::select(Kind::ALL.to_vec()),
        choices in prop::collection::vec(any::<usize>(), 1..400),
    ) {
        match decode(document_of(kind, &choices), Validation::Strict) {
            Ok(decoded) => check_accepted(&decoded.object)?,
            Err(errors) => prop_assert!(errors.iter().all(|error| !error.field.is_empty()), "{:#?}", errors),
        }
    }

    #[test]
    fn config_map_survives_the_wire(data in prop::collection::btree_map("[a-z][a-z0-9.]{0,8}", "\\PC{0,30}", 0..6)) {
        let data: BTreeMap<String, String> = data;
        let document = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "c" }, "data": data });
        check_accepted(&decode(document, Validation::Strict).unwrap().object)?;
    }
}
