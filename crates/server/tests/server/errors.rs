//! What callers are told when something is wrong.

use expect_test::{Expect, expect};
use serde_json::{Value, json};
use skep_api::{proto, status};
use tonic::{Code, Status};

use crate::harness::{Ask, Server, config_map, deployment, object_ref, pod, refusal};

fn check(refused: Result<proto::WriteResponse, Status>, code: Code, expected: &Expect) {
    let status = refused.unwrap_err();
    assert_eq!(status.code(), code, "{status:?}");
    expected.assert_eq(&refusal(&status));
}

#[tokio::test]
async fn everything_that_is_wrong_is_told_at_once_with_its_place() {
    let server = Server::start().await;
    let mut wrong = deployment("web", -1);
    wrong["spec"]["template"]["spec"]["containers"][0]["ports"] = json!([{ "containerPort": 70000 }]);
    let status = server.client().apply_doc(wrong).await.unwrap_err();
    let detail = status::detail(&status).unwrap();
    assert_eq!(detail.reason, "Invalid");
    assert_eq!(detail.r#ref.unwrap().name, "web");
    let fields: Vec<_> = detail.causes.iter().map(|cause| cause.field.as_str()).collect();
    assert_eq!(
        fields,
        [
            "spec.replicas",
            "spec.template.spec.containers[0].ports[0].containerPort"
        ]
    );
    assert!(
        status.message().starts_with("deployment \"web\" is invalid:"),
        "{}",
        status.message()
    );
}

#[tokio::test]
async fn malformed_documents_are_refused_in_words() {
    let server = Server::start().await;
    let client = server.client();
    let refused = async |document: Value| client.create_doc(document).await;
    check(
        refused(json!({ "kind": "Pod" })).await,
        Code::InvalidArgument,
        &expect!["Invalid: pod is invalid: apiVersion: is missing; write for example `apiVersion: apps/v1`"],
    );
    check(
        refused(json!({ "apiVersion": "v1", "kind": "Pot", "metadata": { "name": "x" } })).await,
        Code::InvalidArgument,
        &expect![[
            r#"Invalid: object "x" is invalid: kind: `Pot` in `v1` is not a kind of this cluster; did you mean `Pod`?"#
        ]],
    );
    let mut wrong_type = pod("web", "1");
    wrong_type["spec"]["containers"] = json!("none");
    check(
        refused(wrong_type).await,
        Code::InvalidArgument,
        &expect![[r#"Invalid: pod "web" is invalid: spec.containers: is a string, should be a list"#]],
    );
    check(
        refused(pod("web", "lots")).await,
        Code::InvalidArgument,
        &expect![[
            r#"Invalid: pod "web" is invalid: spec.containers[0].resources.requests[cpu]: `lots` is not a quantity: write a number with an optional suffix, such as 250m, 0.5, 1Gi or 1e3"#
        ]],
    );
    let mut unknown = pod("web", "1");
    unknown["spec"]["containrs"] = json!([]);
    check(
        refused(unknown).await,
        Code::InvalidArgument,
        &expect![[
            r#"Invalid: pod "web" is invalid: spec.containrs: is not a known field; did you mean `containers`?"#
        ]],
    );
    check(
        refused(json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": {} })).await,
        Code::InvalidArgument,
        &expect![
            "Invalid: configmap is invalid: metadata.name: is missing; every object needs a name or a generateName"
        ],
    );
}

#[tokio::test]
async fn an_object_of_two_mebibytes_is_refused_with_the_limit() {
    let server = Server::start().await;
    let status = server
        .client()
        .create_doc(config_map("big", &"x".repeat(2 << 20)))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    expect![[
        r#"RequestEntityTooLarge: configmap "big" is 2.00 MiB long, 1.50 MiB are allowed for one object"#
    ]]
    .assert_eq(&refusal(&status));
}

#[tokio::test]
async fn what_is_missing_or_there_already_is_named_as_kubectl_does() {
    let server = Server::start().await;
    let client = server.client();
    let status = client.doc("po", "web").await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    assert_eq!(refusal(&status), "NotFound: pods \"web\" not found");
    let status = client.delete_named("deploy", "web").await.unwrap_err();
    assert_eq!(refusal(&status), "NotFound: deployments.apps \"web\" not found");
    client.create_doc(config_map("a", "1")).await.unwrap();
    check(
        client.create_doc(config_map("a", "2")).await,
        Code::AlreadyExists,
        &expect![[r#"AlreadyExists: configmaps "a" already exists"#]],
    );
    let mut lost = config_map("a", "1");
    lost["metadata"]["namespace"] = json!("nowhere");
    check(
        client.create_doc(lost).await,
        Code::NotFound,
        &expect![[r#"NotFound: namespaces "nowhere" not found"#]],
    );
}

#[tokio::test]
async fn immutable_fields_stay() {
    let server = Server::start().await;
    let client = server.client();
    client.apply_doc(deployment("web", 1)).await.unwrap();
    let mut other = deployment("web", 1);
    other["spec"]["selector"]["matchLabels"]["app"] = json!("other");
    other["spec"]["template"]["metadata"]["labels"]["app"] = json!("other");
    let status = client.apply_doc(other).await.unwrap_err();
    let detail = status::detail(&status).unwrap();
    assert!(
        detail
            .causes
            .iter()
            .any(|cause| cause.reason == "Immutable" && cause.field.starts_with("spec.selector")),
        "{detail:?}"
    );
}

#[tokio::test]
async fn unknown_kinds_selectors_and_tokens_are_refused() {
    let server = Server::start().await;
    let mut client = server.client();
    let list = |kind: &str, labels: &str, fields: &str, token: &str| proto::ListRequest {
        kind: kind.to_owned(),
        label_selector: labels.to_owned(),
        field_selector: fields.to_owned(),
        r#continue: token.to_owned(),
        ..Default::default()
    };
    for request in [
        list("potato", "", "", ""),
        list("pods", "app in (", "", ""),
        list("pods", "", "spec.color=red", ""),
        list("pods", "", "", "nonsense"),
    ] {
        let status = client.list(request).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
        assert!(refusal(&status).starts_with("BadRequest: "), "{status:?}");
    }
    let request = proto::GetRequest {
        r#ref: object_ref("pods", ""),
        stale_ok: false,
    };
    assert_eq!(
        client.get(request).await.unwrap_err().code(),
        Code::InvalidArgument
    );
}
