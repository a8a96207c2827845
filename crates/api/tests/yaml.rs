//! Manifests as text, in and out.

use expect_test::{Expect, expect};
use proptest::prelude::*;
use serde_json::{Value, json};
use skep_api::yaml::{documents, to_string};

fn one(text: &str) -> Value {
    let mut all = documents(text).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

fn refused(text: &str, expected: &Expect) {
    expected.assert_eq(&documents(text).expect_err("accepted").to_string());
}

#[test]
fn documents_are_separated_and_empty_ones_left_out() {
    let text = "---\n# nothing\n---\na: 1\n---\n\n---\nb: 2\n...\n---\n";
    assert_eq!(documents(text).unwrap(), [json!({ "a": 1 }), json!({ "b": 2 })]);
    assert_eq!(documents("").unwrap(), [] as [Value; 0]);
    assert_eq!(documents("\u{feff}a: 1").unwrap(), [json!({ "a": 1 })]);
}

#[test]
fn json_is_read_as_well() {
    assert_eq!(
        documents("{\"a\": [1, 2.5, null]}\n{\"b\": \"x\"}").unwrap(),
        [json!({ "a": [1, 2.5, null] }), json!({ "b": "x" })]
    );
    assert_eq!(one("{a: b, c: [1]}"), json!({ "a": "b", "c": [1] }));
    assert_eq!(one("{\n\t\"a\": 1\n}"), json!({ "a": 1 }));
}

#[test]
fn lists_are_taken_apart() {
    let text = "apiVersion: v1\nkind: List\nitems:\n- {kind: Pod, n: 1}\n- {kind: List, items: [{kind: Pod, n: 2}]}\n";
    assert_eq!(
        documents(text).unwrap(),
        [json!({ "kind": "Pod", "n": 1 }), json!({ "kind": "Pod", "n": 2 })]
    );
    let text = "apiVersion: apps/v1\nkind: DeploymentList\nitems:\n- {n: 1}\n";
    assert_eq!(
        documents(text).unwrap(),
        [json!({ "apiVersion": "apps/v1", "kind": "Deployment", "n": 1 })]
    );
}

#[test]
fn scalars_mean_what_they_mean_in_kubernetes() {
    for (text, value) in [
        ("0644", json!(420)),
        ("0o644", json!(420)),
        ("0x1F", json!(31)),
        ("12", json!(12)),
        ("-3", json!(-3)),
        ("1.5", json!(1.5)),
        ("1e3", json!(1000.0)),
        ("250m", json!("250m")),
        ("1Gi", json!("1Gi")),
        ("true", json!(true)),
        ("yes", json!(true)),
        ("off", json!(false)),
        ("\"yes\"", json!("yes")),
        ("'0644'", json!("0644")),
        ("null", json!(null)),
        ("~", json!(null)),
        ("", json!(null)),
        ("v1.2.3", json!("v1.2.3")),
        ("1.2.3", json!("1.2.3")),
        ("2026-01-31", json!("2026-01-31")),
        ("10.0.0.0/24", json!("10.0.0.0/24")),
        ("12:30", json!("12:30")),
        ("0899", json!(899.0)),
        ("|\n  two\n  lines\n", json!("two\nlines\n")),
    ] {
        assert_eq!(one(&format!("a: {text}\nb: 1"))["a"], value, "{text}");
    }
}

#[test]
fn keys_are_text() {
    assert_eq!(one("1: a\ntrue: b\n"), json!({ "1": "a", "true": "b" }));
}

#[test]
fn anchors_and_merge_keys_are_expanded() {
    let text = "base: &base {a: 1, b: 2}\nother:\n  <<: *base\n  b: 3\nsame: *base\n";
    assert_eq!(
        one(text),
        json!({ "base": { "a": 1, "b": 2 }, "other": { "a": 1, "b": 3 }, "same": { "a": 1, "b": 2 } })
    );
}

#[test]
fn mistakes_are_named_with_their_place() {
    refused(
        "a: 1\n---\nb: 1\nb: 2\n",
        &expect!["document 2, line 4, column 1: duplicate mapping key `b` is not allowed here"],
    );
    refused(
        "a:\n  b: 1\n c: 2\n",
        &expect!["document 1, line 3, column 2: while parsing a block mapping, did not find expected key"],
    );
    refused(
        "a: 1\n---\n- x\n  y: [1, 2\n",
        &expect!["document 2, line 4, column 4: mapping values are not allowed in this context"],
    );
    refused(
        "a: *nothing\n",
        &expect!["document 1, line 1, column 4: reference to unknown value"],
    );
    refused(
        "{\"a\": 1, \"b\": {\"c\": 1, \"c\": 2}}",
        &expect!["document 1, line 1, column 26: duplicate key `c`"],
    );
    refused(
        "{\"a\": 1,\n \"b\": ]}",
        &expect!["document 1, line 1, column 1: mismatched bracket '{' closed by ']'"],
    );
    refused(
        "a: .nan\n",
        &expect!["document 1, line 1, column 4: value `.nan` is not a finite number"],
    );
    refused(
        "a:\n\tb: 1\n",
        &expect!["document 1, line 2, column 2: tabs disallowed within this context (block indentation)"],
    );
}

#[test]
fn alias_bomb_is_refused() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let list = vec![format!("*a{}", level - 1); 10].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{list}]\n"));
    }
    assert!(documents(&text).is_err());
    let deep = "[".repeat(100_000);
    assert!(documents(&deep).is_err());
}

#[test]
fn output_is_like_kubectls() {
    let value = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": "web", "labels": { "app": "web", "version": "1" }, "annotations": {} },
        "spec": { "containers": [{ "name": "web", "args": ["--on", "yes", "0644", "a: b", "# no", ""],
            "env": [{ "name": "TEXT", "value": "two\nlines\n" }, { "name": "LONG", "value": "word ".repeat(40) }],
            "ports": [{ "containerPort": 80 }] }], "volumes": [], "on": true, "ratio": 0.5 },
    });
    expect![[r##"
        apiVersion: v1
        kind: Pod
        metadata:
          annotations: {}
          labels:
            app: web
            version: "1"
          name: web
        spec:
          containers:
          - args:
            - --on
            - "yes"
            - "0644"
            - "a: b"
            - "# no"
            - ""
            env:
            - name: TEXT
              value: |
                two
                lines
            - name: LONG
              value: "word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word "
            name: web
            ports:
            - containerPort: 80
          "on": true
          ratio: 0.5
          volumes: []
    "##]].assert_eq(&to_string(&value));
    assert_eq!(one(&to_string(&value)), value);
}

fn value() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        "\\PC{0,12}",
        "[ -~\n\t]{0,20}",
        "[0-9a-fxoe+._:-]{1,8}",
        prop::sample::select(vec![
            "yes", "no", "on", "off", "y", "n", "null", "~", "true", "0644", "<<", "=", "---", "...",
            "1_000", ".inf"
        ])
        .prop_map(str::to_owned),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1.0e9..1.0e9).prop_map(Value::from),
        text.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(text.clone(), inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_back(value in value()) {
        let document = json!({ "document": value });
        let text = to_string(&document);
        prop_assert_eq!(documents(&text).map_err(|error| TestCaseError::fail(format!("{error}\n{text}")))?, vec![document], "{}", text);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "[\\[\\]{}:,&*!|>'\"%@`#a-c0-9 \n\t-]{0,40}") {
        let _ = documents(&text);
    }
}
